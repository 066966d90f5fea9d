"""Splits a document into passages: parts that are short enough to be an answer.

A passage is of one section, and ends where a paragraph ends, or else a sentence. It has between 60
and 120 words if its section has: two short paragraphs are one passage, a long one becomes several.
Its characters are limited too, because a document may hold anything: a word of a million letters.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sessions_app.agents.files.blocks import Block
from sessions_app.engines.speech_text import ABBREVIATION

MIN_WORDS: Final = 60
MAX_WORDS: Final = 120
MAX_CHARACTERS: Final = 2000
MAX_HEADING: Final = 300
"""Characters."""

# Chinese, Japanese and Korean are written without spaces: each character counts as a word.
_WORD: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['\u2019.-][^\W_]+)*"
)
_SENTENCE_END: Final = re.compile(
    r"[.!?…][\"'\u201d\u2019»)\]]*(?=\s+(?:[^\W\d_]|[\d\"'\u201c\u2018«(\[¿¡-]))"
    r"|[\u3002\uff01\uff1f][\u300d\u300f]?(?=.)"
)
_LOOK_BACK: Final = 16
"""Characters before the end of a sentence that may be an abbreviation: more than the longest has,
and few, so that the time grows with the length of the text and not with its square."""
_NEXT: Final = re.compile(r"\s*(\S?)")


@dataclass(frozen=True, slots=True)
class PassageText:
    """``heading``: that of the section, after those of the sections around it."""

    heading: str
    text: str


def words(text: str) -> int:
    """How many words a text has."""
    return len(_WORD.findall(text))


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph. Not cut after initials and common abbreviations."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        following = _NEXT.match(text, end.end())
        last = text[max(start, end.end() - _LOOK_BACK) : end.end()]
        if (following and following[1].islower()) or ABBREVIATION.search(last):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [each for each in (*found, text[start:].strip()) if each]


def split(blocks: Sequence[Block]) -> list[PassageText]:
    """The passages of a document, in its order."""
    found: list[PassageText] = []
    for heading, paragraphs in _sections(blocks):
        found += [PassageText(heading, text) for text in _section(paragraphs)]
    return found


def _sections(blocks: Sequence[Block]) -> Iterator[tuple[str, list[str]]]:
    """Each heading with the paragraphs below it, up to the next heading."""
    above: list[Block] = []
    paragraphs: list[str] = []
    for block in blocks:
        if block.level == 0:
            paragraphs.append(block.text)
            continue
        # A heading without any text below it is kept if another does not go on from it.
        if paragraphs or (above and above[-1].level >= block.level):
            yield _heading(above, paragraphs), paragraphs or [above[-1].text]
            paragraphs = []
        above = [each for each in above if each.level < block.level] + [block]
    if paragraphs or above:
        yield _heading(above, paragraphs), paragraphs or [above[-1].text]


def _heading(above: Sequence[Block], paragraphs: Sequence[str]) -> str:
    """The last headings that fit; a heading that is the passage itself is not repeated."""
    names = [block.text for block in (above if paragraphs else above[:-1])]
    while len(names) > 1 and len(" > ".join(names)) > MAX_HEADING:
        names.pop(0)
    return " > ".join(names)[:MAX_HEADING]


def _section(paragraphs: Sequence[str]) -> list[str]:
    """A section's passages: paragraphs joined while they are short, and split when they are long.

    What is left over at the end joins the passage before it, if both fit into one.
    """
    passages: list[list[str]] = []
    size = length = 0
    for piece, is_new_paragraph in _pieces(paragraphs):
        count = words(piece)
        is_full = size + count > MAX_WORDS or length + len(piece) > MAX_CHARACTERS
        if not passages or is_full or (size >= MIN_WORDS and is_new_paragraph):
            passages.append([])
            size = length = 0
        passages[-1].append(f"\n{piece}" if is_new_paragraph and passages[-1] else piece)
        size += count
        length += len(piece) + 1
    texts = [" ".join(each).replace(" \n", "\n") for each in passages]
    if len(texts) > 1 and words(texts[-1]) < MIN_WORDS // 2:
        last = texts.pop()
        if (
            words(texts[-1]) + words(last) <= MAX_WORDS + MIN_WORDS // 2
            and len(texts[-1]) + len(last) < MAX_CHARACTERS
        ):
            texts[-1] = f"{texts[-1]}\n{last}"
        else:
            texts.append(last)
    return texts


def _pieces(paragraphs: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Paragraphs, or the sentences of long ones, or parts of a sentence without an end."""
    for paragraph in paragraphs:
        if words(paragraph) <= MAX_WORDS and len(paragraph) <= MAX_CHARACTERS:
            yield paragraph, True
            continue
        is_new = True
        for sentence in sentences(paragraph):
            for piece in _bounded(sentence):
                yield piece, is_new
                is_new = False


def _bounded(sentence: str) -> Iterator[str]:
    """The sentence; a longer one cut between words, and a longer word anywhere."""
    start = count = 0
    for word in _WORD.finditer(sentence):
        if count == MAX_WORDS or (count and word.end() - start > MAX_CHARACTERS):
            yield from _sliced(sentence[start : word.start()])
            start, count = word.start(), 0
        count += 1
    yield from _sliced(sentence[start:])


def _sliced(text: str) -> Iterator[str]:
    for at in range(0, len(text), MAX_CHARACTERS):
        if part := text[at : at + MAX_CHARACTERS].strip():
            yield part
