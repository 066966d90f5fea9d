"""An extractive summary: sentences selected from the call, in their order. Nothing is invented."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis_app.engines.base import Call, base_language
from analysis_app.engines.local.brief import Sentence, find_reason, make_brief, read_sentences
from analysis_app.engines.local.cues import REASON, matches
from analysis_app.engines.local.outcome import find_outcome, sentence_cues
from analysis_app.engines.local.redaction import Secrets, is_mostly_hidden
from analysis_app.engines.local.topics import NOT_TOPICS

KEY_POINTS = 5
FACT_WORDS = 3  # different words, beyond the most common, of a fact that shows no outcome
_WORD = re.compile(r"\w{4,}")
_NO_FACTS = frozenset({"thanks", "sarcasm"})


def _bag(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in NOT_TOPICS]


def _scores(call: Call, sentences: Sequence[Sentence], first: int) -> list[float]:
    """How much each sentence tells: about the call's subject, its reason or its outcome.

    What the agent says before turn ``first``, the customer's reason, opens the call.
    """
    bags = [_bag(sentence.text) for sentence in sentences]
    spread = Counter(word for bag in bags for word in set(bag))
    counts = Counter(word for bag in bags for word in bag)
    end = max((turn.end for turn in call.turns), default=1.0) or 1.0

    def score(sentence: Sentence, bag: list[str]) -> float:
        turn, text = sentence.turn, sentence.text
        cues = sentence_cues(sentence.language, text, turn.speaker).keys() - _NO_FACTS
        is_opening = turn.speaker == "agent" and sentence.position < first
        if is_opening or sentence.is_question or is_mostly_hidden(text):
            return 0.0  # no facts
        if len(set(bag)) < FACT_WORDS and not cues:
            return 0.0
        # Repeated words show the call's subject; words in every sentence do not.
        weight: float = sum(
            counts[word] ** 0.5 * math.log(1 + len(bags) / spread[word]) for word in set(bag)
        ) / math.sqrt(len(bag) + 3)
        is_early = turn.speaker == "customer" and turn.start < end / 3
        if is_early and matches(REASON, sentence.language, text):
            weight *= 1.6
        return weight * 1.6 + 0.4 if cues else weight

    return [score(sentence, bag) for sentence, bag in zip(sentences, bags, strict=True)]


def _key_points(call: Call, sentences: Sequence[Sentence]) -> list[Sentence]:
    """The reason and the best sentences that do not repeat each other, in call order."""
    reason = find_reason(sentences, len(call.turns))
    scores = _scores(call, sentences, reason.position if reason else 0)
    ranked = sorted(range(len(sentences)), key=lambda index: -scores[index])
    if reason is not None:
        index = sentences.index(reason)
        ranked = [index, *(other for other in ranked if other != index and scores[other] > 0)]
    else:
        ranked = [index for index in ranked if scores[index] > 0]
    chosen: list[int] = []
    for index in ranked:
        sentence = sentences[index]
        words = set(_WORD.findall(sentence.text.lower()))
        if sum(sentences[other].turn is sentence.turn for other in chosen) > 1:
            continue
        known = [set(_WORD.findall(sentences[other].text.lower())) for other in chosen]
        if any(len(words & other) > 0.5 * len(words) for other in known):
            continue
        chosen.append(index)
        if len(chosen) == KEY_POINTS:
            break
    return [sentences[index] for index in sorted(chosen)]


def _note(call: Call, language: str, points: list[Sentence]) -> str | None:
    """A note if sentences are in a language other than the requested one."""
    foreign = sorted(
        {
            base_language(point.turn.language)
            for point in points
            if call.text_in(point.turn, language) is None
        }
    )
    if not foreign:
        return None
    return f"As spoken ({', '.join(foreign)}): no translation into {language} is available."


def summarize(call: Call, *, language: str) -> dict[str, Any]:
    language = base_language(language)
    sentences = read_sentences(call, language, Secrets(call))
    points = _key_points(call, sentences)
    outcome = find_outcome(call)
    result: dict[str, Any] = {
        "brief": make_brief(call, language, sentences, outcome.label),
        "key_points": [point.text for point in points],
        "key_point_segments": [point.turn.id for point in points],
        "outcome": outcome.label,
        "outcome_segment_id": outcome.turn.id if outcome.turn else None,
    }
    note = _note(call, language, points)
    if note:
        result["note"] = note
    return result
