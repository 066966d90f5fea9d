"""Which of a list of call reasons a call is about, found by their words.

The list shipped is ``call_reasons.toml``. A scorer that knows meaning instead of words, for example
by embeddings of the descriptions, has the same signature as ``score_by_words``.
"""

import functools
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis_app.engines.base import Call
from analysis_app.engines.local.brief import find_reason, read_sentences
from analysis_app.engines.local.courtesies import joined
from analysis_app.engines.local.cues import readings
from analysis_app.engines.local.redaction import Secrets

Sign = tuple[re.Pattern[str], ...]  # all of them, in what one party says at a time

# How much a passage says about the reason of the call.
STATED, BESIDE, EARLY, AGENT = 3.0, 1.5, 1.0, 0.4
TURNS_READ = 24  # the reason is said early
WORDS_READ = 120  # of a turn
SEVERAL_WORDS = 1.5  # a sign of several words is worth more than one of one word
FURTHER = 0.1  # for each further sign
ADDED = 3  # passages that count for a reason
LEAST = 1.4  # the score from which a call is about a reason
MOST = 3  # reasons of one call
BESIDE_BEST = 0.5  # least share of the best reason's score


@dataclass(frozen=True, slots=True)
class CallReason:
    """``description`` is one sentence, for readers and for scorers that know meaning."""

    name: str
    description: str
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    weight: float


Scorer = Callable[[Sequence[Passage], Sequence[CallReason]], Sequence[float]]


def _signs(words: str) -> tuple[Sign, ...]:
    return tuple(
        tuple(re.compile(rf"\b(?:{part})", re.IGNORECASE) for part in line.split(" + "))
        for line in words.strip().splitlines()
    )


@functools.cache
def default_reasons() -> tuple[CallReason, ...]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return tuple(
        CallReason(name, table["description"], _signs(table["words"]))
        for name, table in tables.items()
    )


def passages(call: Call) -> list[Passage]:
    """What is said early in the call; the sentence that states the reason weighs most."""
    found: list[Passage] = []
    sentences = read_sentences(call, "en", Secrets(call))
    stated = find_reason(sentences, len(call.turns))
    for turn in call.turns[:TURNS_READ]:
        if stated is not None and turn is stated.turn:
            rest = [each.text for each in sentences if each.turn is turn and each is not stated]
            found += [Passage(stated.text, STATED), Passage(joined(rest), BESIDE)]
            continue
        weight = EARLY if turn.speaker == "customer" else AGENT
        text = readings(call, turn)[-1][1]
        found.append(Passage(" ".join(text.split()[:WORDS_READ]), weight))
    return found


def _strength(reason: CallReason, text: str) -> float:
    """The best sign of the reason in ``text``, and a little for each other; 0 without one."""
    found = sorted(
        (
            SEVERAL_WORDS if len(sign) > 1 else 1.0
            for sign in reason.signs
            if all(part.search(text) for part in sign)
        ),
        reverse=True,
    )
    return found[0] + FURTHER * (len(found) - 1) if found else 0.0


def score_by_words(read: Sequence[Passage], reasons: Sequence[CallReason]) -> list[float]:
    """A score for each reason: the sum of its strongest passages."""
    return [
        sum(
            sorted(
                (passage.weight * _strength(reason, passage.text) for passage in read),
                reverse=True,
            )[:ADDED]
        )
        for reason in reasons
    ]


def find_reasons(
    call: Call,
    reasons: Sequence[CallReason] | None = None,
    score: Scorer = score_by_words,
) -> list[tuple[str, float]]:
    """(name, confidence) of at most three reasons above the threshold, best first."""
    listed = default_reasons() if reasons is None else reasons
    scores = score(passages(call), listed)
    ranked = sorted(zip(scores, listed, strict=True), key=lambda pair: -pair[0])
    least = max(LEAST, BESIDE_BEST * ranked[0][0]) if ranked else LEAST
    return [
        (reason.name, round(min(0.95, 0.45 + 0.1 * worth), 2))
        for worth, reason in ranked[:MOST]
        if worth >= least
    ]
