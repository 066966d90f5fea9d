"""What every format becomes: a list of headings and paragraphs."""

import re
from dataclasses import dataclass
from typing import Final

MAX_TEXT: Final = 2_000_000
"""Characters of one document."""

QUESTION_MARKS: Final = ("?", "\uff1f")
_QUESTION_WORDS: Final = 20
_SPACES = re.compile(r"\s+")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2060\ufeff\ufffd\ud800-\udfff]"
)
"""Lone surrogates, which damaged PDFs contain, can be stored nowhere."""


class Unreadable(Exception):
    """The file cannot be read. The message is shown to whoever uploaded it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (``level`` 0) or a heading (1 the highest to 6)."""

    text: str
    level: int = 0


def block(text: str, level: int = 0) -> Block | None:
    """The block, with its spaces made plain; None: it has no text.

    A short paragraph that asks a question is taken for a heading: FAQs are written like that.
    """
    plain = _SPACES.sub(" ", _UNPRINTABLE.sub("", text)).strip()
    if not plain:
        return None
    if level == 0 and plain.endswith(QUESTION_MARKS) and len(plain.split()) <= _QUESTION_WORDS:
        level = 6
    return Block(plain, level)


def collected(blocks: list[Block | None]) -> list[Block]:
    """The blocks that have a text. Raises Unreadable: there is none, or too much."""
    found = [each for each in blocks if each is not None]
    if not any(any(map(str.isalnum, each.text)) for each in found):
        raise Unreadable("The file has no text in it.")
    if sum(len(each.text) for each in found) > MAX_TEXT:
        raise Unreadable(f"The file has more than {MAX_TEXT:,} characters of text. Split it.")
    return found
