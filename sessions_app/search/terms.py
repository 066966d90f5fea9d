"""Parses the text of the search box for both databases, and highlights its hits.

``refund "order number" ship`` finds segments that contain *refund*, the phrase *order number* and a
word that begins with *ship*. All terms must match; the last word, if it has three letters or more,
may be incomplete. Only letters and digits are used, so that no text is read as an operator.
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
    """Words in a row; ``prefix``: the last one is the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text and whether it is a hit."""

    text: str
    hit: bool


def parse(typed: str) -> list[Term]:
    """The terms of a search; empty if the text has no letter or digit."""
    terms: list[Term] = []
    typed = typed[:MAX_LENGTH]
    for phrase, word in _PART.findall(typed):
        words = tuple(part for part in _WORD.findall(phrase or word) if part.strip("_"))
        if words:
            terms.append(Term(words))
    if terms and not typed.rstrip().endswith('"'):
        last = terms[-1].words[-1]
        # One or two ASCII letters match too many words; in other scripts they may be a word.
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
    """A pattern for ``ILIKE`` that matches every text with the term, and some other texts."""
    words = (re.sub(r"([\\%_])", r"\\\1", word) for word in term.words)
    return f"%{'%'.join(words)}%"


def fold(text: str) -> str:
    """``text`` in lower case and without accents; the number of characters stays the same."""
    return "".join(
        plain if len(plain := unicodedata.normalize("NFD", char)[0].lower()) == 1 else char
        for char in text
    )


def highlighted(text: str, terms: list[Term], around: int | None = None) -> list[Piece]:
    """``text`` split into hits and the text between them, not escaped.

    ``around`` limits the text to that many characters before the first hit and three times as many
    after it.
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
