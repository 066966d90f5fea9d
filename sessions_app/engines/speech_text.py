"""Prepares text for speech synthesis: removes unsafe characters, splits it into sentences."""

import re
from collections.abc import Iterator
from typing import Final

_LONGEST = 300  # characters
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")  # noqa: RUF001 - CJK punctuation
_PAUSE = re.compile(r"(?<=[,;:])\s+")
ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(])(?:\w|[Mm]rs?|[Dd]r|[Pp]rof|[Ss]t|[Nn]o|[Nn]r|[Ee]tc|[Vv]s|[Cc]a|bzw|usw|ggf|inkl|"
    r"Sr|Sra|Ud|Uds|pág|núm|M|Mme|[Aa]pprox|[Tt]el|[Aa]bs|[Aa]rt|[Vv]gl|[Ff]ig|[Ii]nc|[Ll]td)\.$"
)
"""Matches text at whose end a full stop does not end a sentence: an initial or "Dr."."""
_LONGEST_ABBREVIATION = 10  # characters, with what stands before it


def sentences(text: str) -> list[str]:
    """Sentences of at most 300 characters; a longer one is split at a pause or a space.

    Removes control characters, and double brackets, which Piper would read as raw phonemes.
    """
    plain = re.sub(r"\[\[|\]\]", " ", text)
    plain = "".join(c if c.isprintable() or c in "\n\t" else " " for c in plain)
    found = []
    for sentence in _split(plain):
        found += _shorter(" ".join(sentence.split()))
    return [sentence for sentence in found if any(c.isalnum() for c in sentence)]


def _split(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        before = text[max(start, end.start() - _LONGEST_ABBREVIATION) : end.start()]
        if "\n" in end.group() or not ABBREVIATION.search(before):
            yield text[start : end.start()]
            start = end.end()
    yield text[start:]


def _shorter(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > _LONGEST:
        pauses = [match.start() for match in _PAUSE.finditer(sentence, 0, _LONGEST)]
        cut = pauses[-1] if pauses else sentence.rfind(" ", 0, _LONGEST)
        cut = cut if cut > 0 else _LONGEST
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*pieces, sentence]
