"""Prepares text for speech synthesis: removes unsafe characters, splits it into sentences."""

import re

_LONGEST = 300  # characters
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")  # noqa: RUF001 - CJK punctuation
_PAUSE = re.compile(r"(?<=[,;:])\s+")


def sentences(text: str) -> list[str]:
    """Sentences of at most 300 characters; a longer one is split at a pause or a space.

    Removes control characters, and double brackets, which Piper would read as raw phonemes.
    """
    plain = re.sub(r"\[\[|\]\]", " ", text)
    plain = "".join(c if c.isprintable() or c in "\n\t" else " " for c in plain)
    found = []
    for sentence in _SENTENCE_END.split(plain):
        found += _shorter(" ".join(sentence.split()))
    return [sentence for sentence in found if any(c.isalnum() for c in sentence)]


def _shorter(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > _LONGEST:
        pauses = [match.start() for match in _PAUSE.finditer(sentence, 0, _LONGEST)]
        cut = pauses[-1] if pauses else sentence.rfind(" ", 0, _LONGEST)
        cut = cut if cut > 0 else _LONGEST
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*pieces, sentence]
