"""What a person typed into the search box, for both databases, and its hits in a text.

``refund "order number" ship`` finds segments that hold *refund*, the phrase *order number* and a
word that begins with *ship*: all terms must be there, the last word may still be being typed (from
its third letter on).
Only letters and digits count, so nothing typed can be read as an operator.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_TERMS: Final = 12
MAX_LENGTH: Final = 200
_PART = re.compile(r'"([^"]*)"|([^\s"]+)')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other; ``prefix``: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text and whether it is a hit."""

    text: str
    hit: bool


def parse(typed: str) -> list[Term]:
    """The terms of a search; none if nothing can be searched for."""
    terms: list[Term] = []
    typed = typed[:MAX_LENGTH]
    for phrase, word in _PART.findall(typed):
        words = tuple(part for part in _WORD.findall(phrase or word) if part.strip("_"))
        if words:
            terms.append(Term(words))
    if terms and not typed.rstrip().endswith('"'):
        last = terms[-1].words[-1]
        # Half of all words begin with some letter: only other scripts say much in one or two.
        terms[-1] = Term(terms[-1].words, prefix=len(last) >= 3 or not last.isascii())
    return terms[:MAX_TERMS]


def postgres_query(terms: list[Term]) -> str:
    """For ``to_tsquery('simple', …)``."""
    return " & ".join(
        "(" + " <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.prefix else "") + ")"
        for term in terms
    )


def sqlite_query(terms: list[Term]) -> str:
    """For ``MATCH`` of FTS5."""
    return " AND ".join(f'"{" ".join(term.words)}"{"*" if term.prefix else ""}' for term in terms)


def like_pattern(term: Term) -> str:
    """For ``ILIKE``: what every text that holds the term matches, and some others too."""
    words = (re.sub(r"([\\%_])", r"\\\1", word) for word in term.words)
    return f"%{'%'.join(words)}%"


def fold(text: str) -> str:
    """Without case and accents, every character in its place."""
    return "".join(
        plain if len(plain := unicodedata.normalize("NFD", char)[0].lower()) == 1 else char
        for char in text
    )


def highlighted(text: str, terms: list[Term], around: int | None = None) -> list[Piece]:
    """``text`` cut into hits and what stands between, to be printed with escaping.

    ``around`` keeps only so many characters before the first hit and thrice as many after it.
    """
    patterns = [
        r"\b"
        + r"\W+".join(re.escape(fold(word)) for word in term.words)
        + (r"\w*" if term.prefix else r"\b")
        for term in terms
    ]
    hits = list(re.finditer("|".join(patterns), fold(text))) if patterns else []
    start, end = 0, len(text)
    if around is not None and hits:
        start = max(0, hits[0].start() - around)
        end = min(len(text), hits[0].end() + 3 * around)
    pieces = [Piece("…", False)] if start else []
    at = start
    for hit in hits:
        if hit.end() > end:
            break
        pieces += [Piece(text[at : hit.start()], False), Piece(text[hit.start() : hit.end()], True)]
        at = hit.end()
    pieces.append(Piece(text[at:end] + ("…" if end < len(text) else ""), False))
    return [piece for piece in pieces if piece.text]
