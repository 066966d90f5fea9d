"""How a call ended, and the segment that says so."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.courtesies import split_sentences
from analysis_app.engines.local.cues import matches, patterns, readings

Kind = Literal[
    "done", "satisfied", "thanks", "refused", "displeased", "sarcasm", "open", "promised"
]
Label = Literal["resolved", "unresolved", "follow_up", "unknown"]


@dataclass(frozen=True, slots=True)
class _Weight:
    label: Label
    agent: float
    customer: float


# What a cue says about the outcome, by who says it (0: nothing). A label's best evidence is first.
_WEIGHTS: dict[Kind, _Weight] = {
    "done": _Weight("resolved", 2.0, 0.0),
    "satisfied": _Weight("resolved", 1.0, 2.0),
    "thanks": _Weight("resolved", 0.0, 0.6),
    "refused": _Weight("unresolved", 1.7, 0.0),
    "displeased": _Weight("unresolved", 0.0, 1.6),
    "sarcasm": _Weight("unresolved", 0.0, 2.0),
    "open": _Weight("follow_up", 2.4, 1.2),
    "promised": _Weight("follow_up", 0.9, 0.0),
}
_PATTERNS = {kind: patterns(kind) for kind in _WEIGHTS}
_CONDITIONAL = {
    language: re.compile(rf"(?:{pattern.pattern})(?:\W+\w+){{0,5}}\W*$", re.IGNORECASE)
    for language, pattern in patterns("conditional").items()
}
_WISHES: frozenset[Kind] = frozenset({"done", "satisfied", "thanks"})


@dataclass(frozen=True, slots=True)
class Cue:
    """A sentence that says something about the outcome. A later one weighs more."""

    kind: Kind
    label: Label
    weight: float
    turn: Turn


@dataclass(frozen=True, slots=True)
class Outcome:
    label: Label
    turn: Turn | None  # that says so


def _is_wish(language: str, before: str) -> bool:
    pattern = _CONDITIONAL.get(language)
    return pattern is not None and pattern.search(before) is not None


@functools.lru_cache(maxsize=1024)
def sentence_cues(language: str, sentence: str, speaker: str) -> Mapping[Kind, tuple[Label, float]]:
    """What a sentence of ``speaker`` says about the outcome: label and weight by kind."""
    found: dict[Kind, tuple[Label, float]] = {}
    language = base_language(language)
    is_question = sentence.rstrip().endswith("?")
    for kind, weight in _WEIGHTS.items():
        own = weight.agent if speaker == "agent" else weight.customer
        if not own or (is_question and kind != "sarcasm"):
            continue
        match = matches(_PATTERNS[kind], language, sentence)
        if match and not (kind in _WISHES and _is_wish(language, sentence[: match.start()])):
            found[kind] = (weight.label, own)
    if "sarcasm" in found:
        found = {kind: cue for kind, cue in found.items() if kind not in _WISHES}
    return found


def _cues(call: Call) -> Iterator[Cue]:
    turns = call.turns
    for index, turn in enumerate(turns):
        recency = 0.5 + (index + 1) / len(turns)
        for language, text in readings(call, turn):
            for sentence in split_sentences(text):
                cues = sentence_cues(language, sentence, turn.speaker)
                for kind, (label, own) in cues.items():
                    yield Cue(kind, label, own * recency, turn)


def find_outcome(call: Call) -> Outcome:
    """The label with the strongest cues, of each kind the strongest; "unknown" without a cue.

    What the agent did or refused is better evidence than what the customer says to it.
    """
    cues = list(_cues(call)) if len({turn.speaker for turn in call.turns}) > 1 else []
    strongest: dict[Kind, Cue] = {}
    for cue in cues:
        known = strongest.get(cue.kind)
        if known is None or cue.weight >= known.weight:
            strongest[cue.kind] = cue
    totals: dict[Label, float] = {}
    for cue in strongest.values():
        totals[cue.label] = totals.get(cue.label, 0.0) + cue.weight
    if not totals:
        return Outcome("unknown", None)
    label = max(totals, key=lambda name: totals[name])
    evidence = next(
        kind for kind in _WEIGHTS if kind in strongest and strongest[kind].label == label
    )
    return Outcome(label, strongest[evidence].turn)
