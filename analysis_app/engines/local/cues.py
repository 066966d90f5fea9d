"""Words that show what a sentence does in a call, in the languages that the local engine reads itself.

The lists are the files ``words/LANGUAGE.toml``. Patterns ignore case and are matched on the words as
spoken; a turn in another language is read in its English translation, if it has one. Where words may
stand between two parts, a pattern limits them: ``.*`` would make it quadratic in the sentence's length.
The lists:

- ``hold``: asks the other party to wait
- ``reason``: the customer says why they call
- ``done``: the agent did something within the call
- ``satisfied``: it works, it is clear
- ``thanks``: thanks that end a call
- ``refused``: the agent cannot or will not
- ``displeased``: the customer has not got what they wanted
- ``sarcasm``: thanks and praise that mean the opposite
- ``open``: the matter goes on after the call
- ``promised``: something will be done or sent
- ``asks``: begins a question, in text that may have no question mark
- ``conditional``: words that make "it works" a wish ("as soon as it works")
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from analysis_app.engines.base import Call, Turn, base_language

Patterns = Mapping[str, re.Pattern[str]]

_WORDS = Path(__file__).parent / "words"


@functools.cache
def _tables() -> dict[str, dict[str, str]]:
    """The lists by language."""
    return {path.stem: tomllib.loads(path.read_text()) for path in sorted(_WORDS.glob("*.toml"))}


def patterns(name: str) -> Patterns:
    """The list ``name`` of each language that has it, as one pattern of whole words."""
    return {
        language: re.compile(
            "|".join(rf"\b(?:{line})(?!\w)" for line in lists[name].strip().splitlines()),
            re.IGNORECASE,
        )
        for language, lists in _tables().items()
        if name in lists
    }


HOLD = patterns("hold")
SARCASM = patterns("sarcasm")
REASON = patterns("reason")
ASKS = patterns("asks")


def readings(call: Call, turn: Turn) -> list[tuple[str, str]]:
    """(language, text) pairs in which the turn can be read: as spoken, and its translation."""
    pairs = [(base_language(turn.language), turn.text)]
    english = call.text_in(turn, "en")
    if english is not None and pairs[0][0] != "en":
        pairs.append(("en", english))
    return pairs


def matches(known: Patterns, language: str, text: str) -> re.Match[str] | None:
    pattern = known.get(base_language(language))
    return pattern.search(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")) if pattern else None


def says_hold(turn: Turn) -> bool:
    """Whether the turn asks the other party to wait."""
    if matches(HOLD, turn.language, turn.text):
        return True
    return bool(turn.translation and matches(HOLD, "en", turn.translation))
