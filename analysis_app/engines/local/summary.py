"""An extractive summary: sentences selected from the call, in their order. Nothing is invented."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.courtesies import joined, split_sentences, without_courtesies
from analysis_app.engines.local.cues import REASON, matches, readings
from analysis_app.engines.local.outcome import find_outcome, sentence_cues
from analysis_app.engines.local.redaction import Secrets, is_mostly_hidden
from analysis_app.engines.local.topics import NOT_TOPICS

KEY_POINTS = 5
_WORD = re.compile(r"\w{4,}")


@dataclass(frozen=True, slots=True)
class _Sentence:
    turn: Turn
    text: str
    score: float


def _text(call: Call, turn: Turn, language: str) -> str:
    """In the wanted language, if spoken in it or translated into it; else as spoken."""
    return call.text_in(turn, language) or turn.text


def _gives_reason(call: Call, turn: Turn) -> bool:
    return any(matches(REASON, language, text) for language, text in readings(call, turn))


def _sentences(call: Call, language: str) -> list[_Sentence]:
    """Sentences beyond courtesies, with their secrets hidden."""
    secrets = Secrets(call)
    texts = [
        (turn, secrets.hide(rest))
        for turn in call.turns
        for sentence in split_sentences(_text(call, turn, language))
        if len((rest := without_courtesies(sentence)).split()) >= 4
    ]
    bags = [
        [word for word in _WORD.findall(text.lower()) if word not in NOT_TOPICS]
        for _, text in texts
    ]
    spread = Counter(word for bag in bags for word in set(bag))
    counts = Counter(word for bag in bags for word in bag)
    end = max((turn.end for turn in call.turns), default=1.0) or 1.0

    def score(turn: Turn, text: str, bag: list[str]) -> float:
        if len(set(bag)) < 2 or is_mostly_hidden(text):
            return 0.0
        # Repeated words show the call's subject; words in every sentence do not.
        weight: float = sum(
            counts[word] ** 0.5 * math.log(1 + len(bags) / spread[word]) for word in set(bag)
        ) / math.sqrt(len(bag) + 3)
        if text.rstrip().endswith("?") and turn.speaker == "agent":
            weight *= 0.4  # asking for a number or a name does not tell the subject
        if turn.speaker == "customer" and turn.start < end / 3 and _gives_reason(call, turn):
            weight *= 1.6
        if any(
            sentence_cues(language, text, turn.speaker) for language, text in readings(call, turn)
        ):
            weight *= 1.35
        return weight

    return [
        _Sentence(turn, text, score(turn, text, bag))
        for (turn, text), bag in zip(texts, bags, strict=True)
    ]


def _key_points(sentences: list[_Sentence]) -> list[_Sentence]:
    """The best sentences that do not repeat each other, in call order."""
    chosen: list[_Sentence] = []
    for sentence in sorted(sentences, key=lambda each: -each.score):
        words = set(_WORD.findall(sentence.text.lower()))
        if sentence.score <= 0 or not words:
            continue
        if sum(other.turn.id == sentence.turn.id for other in chosen) > 1:
            continue
        known = [set(_WORD.findall(other.text.lower())) for other in chosen]
        if any(len(words & other) > 0.5 * len(words) for other in known):
            continue
        chosen.append(sentence)
        if len(chosen) == KEY_POINTS:
            break
    return sorted(chosen, key=lambda each: sentences.index(each))


def _note(call: Call, language: str, points: list[_Sentence]) -> str | None:
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


def _brief(call: Call, points: list[_Sentence]) -> list[_Sentence]:
    """The reason for the customer's call and the highest-scoring other point, in call order."""
    reason = next(
        (
            point
            for point in points
            if point.turn.speaker == "customer" and _gives_reason(call, point.turn)
        ),
        None,
    )
    others = sorted((point for point in points if point is not reason), key=lambda p: -p.score)
    chosen = others[:2] if reason is None else [reason, *others[:1]]
    return [point for point in points if point in chosen]


def summarize(call: Call, *, language: str) -> dict[str, Any]:
    language = base_language(language)
    points = _key_points(_sentences(call, language))
    outcome = find_outcome(call)
    result: dict[str, Any] = {
        "brief": joined([point.text for point in _brief(call, points)]),
        "key_points": [point.text for point in points],
        "key_point_segments": [point.turn.id for point in points],
        "outcome": outcome.label,
        "outcome_segment_id": outcome.turn.id if outcome.turn else None,
    }
    note = _note(call, language, points)
    if note:
        result["note"] = note
    return result
