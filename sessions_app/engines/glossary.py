"""Terms with fixed translations, and placeholders that engines leave as they are."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SCRIPTS_WITHOUT_SPACES: Final = 0x0E00
"""The first code point, that of Thai, from which a term may have letters on both sides."""

_FIRST_WORD: Final = re.compile(r"(?:(?![\u0e00-\U0010ffff])[^\W_])+|\S")
"""Where a term may begin: with a word, or with a character of which words are not made."""


@dataclass(frozen=True, slots=True)
class Term:
    """Where a term stands in a text, and what it becomes in the translation."""

    start: int
    end: int
    translation: str


def find_terms(text: str, glossary: Mapping[str, str]) -> list[Term]:
    """The terms of ``glossary`` in ``text``, in order; it holds in both directions."""
    return term_index(tuple(glossary.items())).find(text) if glossary else []


@dataclass(frozen=True, slots=True)
class TermIndex:
    """Terms by their first word, since a sentence has few words and a glossary many terms.

    A word costs at most as many look-ups as there are lengths of terms that begin with it.
    """

    translations: Mapping[str, str]  # casefolded term → translation
    lengths: Mapping[str, tuple[int, ...]]  # first word → lengths of its terms, longest first

    def find(self, text: str) -> list[Term]:
        """The terms in ``text``, in order; where several begin, the longest."""
        folded, origins = _casefolded(text)
        found, at = [], 0
        while (word := _FIRST_WORD.search(folded, at)) is not None:
            at = word.end()
            end = self._end_of_term(folded, word)
            if end is not None and origins[word.start()] >= 0 and origins[end] >= 0:
                translation = self.translations[folded[word.start() : end]]
                found.append(Term(origins[word.start()], origins[end], translation))
                at = end
        return found

    def _end_of_term(self, folded: str, word: re.Match[str]) -> int | None:
        lengths = self.lengths.get(word[0])
        start = word.start()
        if lengths is None or not _is_whole(folded, start, start + 1, after=False):
            return None
        for length in lengths:
            end = start + length
            fits = end <= len(folded) and folded[start:end] in self.translations
            if fits and _is_whole(folded, start, end):
                return end
        return None


@functools.lru_cache(maxsize=64)
def term_index(glossary: tuple[tuple[str, str], ...]) -> TermIndex:
    """The index of a glossary's (term, translation) pairs, in both directions."""
    pairs = [(term.strip(), translation.strip()) for term, translation in glossary]
    pairs = [(term, translation) for term, translation in pairs if term and translation]
    translations = {term.casefold(): translation for term, translation in pairs}
    for term, translation in pairs:
        translations.setdefault(translation.casefold(), term)
    lengths: dict[str, set[int]] = {}
    for term in translations:
        if (word := _FIRST_WORD.match(term)) is not None:
            lengths.setdefault(word[0], set()).add(len(term))
    return TermIndex(
        translations, {word: tuple(sorted(each, reverse=True)) for word, each in lengths.items()}
    )


def _casefolded(text: str) -> tuple[str, Sequence[int]]:
    """``text`` casefolded, and for each of its characters, and the end, where it was in ``text``.

    -1: inside of what is one character in ``text``, as the second s of a folded ß.
    """
    folded = text.casefold()
    if len(folded) == len(text):
        return folded, range(len(text) + 1)
    origins: list[int] = []
    for place, character in enumerate(text):
        origins += [place, *[-1] * (len(character.casefold()) - 1)]
    return folded, [*origins, len(text)]


def _is_whole(text: str, start: int, end: int, *, after: bool = True) -> bool:
    """Whether no word goes on before ``start`` nor, with ``after``, behind ``end``."""
    if _is_bounded(text[start]) and _is_in_word(text[start - 1 : start]):
        return False
    return not (after and _is_bounded(text[end - 1]) and _is_in_word(text[end : end + 1]))


def _is_bounded(character: str) -> bool:
    return character.isalnum() and ord(character) < _SCRIPTS_WITHOUT_SPACES


def _is_in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def missing_terms(text: str, translation: str, glossary: Mapping[str, str]) -> list[Term]:
    """The terms in ``text`` whose translation is not in ``translation``."""
    said = translation.casefold()
    return [t for t in find_terms(text, glossary) if t.translation.casefold() not in said]


# -- placeholders ------------------------------------------------------------------------------

_LETTERS: Final = "bcdfghjklm"
PLACEHOLDER: Final = re.compile(rf"Zq[{_LETTERS}]{{2,}}x", re.IGNORECASE)
"""A word that no language has: engines take it for a name, and keep it."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with a placeholder for each term."""

    text: str
    replacements: Mapping[str, str]  # placeholder → what it stands for in the translation

    def is_kept_by(self, translation: str) -> bool:
        """Whether ``translation`` has every placeholder once."""
        found = sorted(match.lower() for match in PLACEHOLDER.findall(translation))
        return found == sorted(placeholder.lower() for placeholder in self.replacements)

    def unmasked(self, translation: str) -> str:
        """``translation`` with the terms instead of the placeholders."""
        lowered = {key.lower(): value for key, value in self.replacements.items()}

        def replacement(match: re.Match[str]) -> str:
            return _as_begun(lowered[match[0].lower()], translation[: match.start()])

        return PLACEHOLDER.sub(replacement, translation)


def mask_terms(text: str, terms: list[Term]) -> Masked:
    """``text`` with a placeholder for each of ``terms``, which are in order."""
    pieces, replacements, at = [], {}, 0
    for number, term in enumerate(terms):
        placeholder = f"Zq{''.join(_LETTERS[int(digit)] for digit in f'{number:02}')}x"
        replacements[placeholder] = term.translation
        pieces += [text[at : term.start], placeholder]
        at = term.end
    return Masked("".join([*pieces, text[at:]]), replacements)


def _as_begun(translation: str, before: str) -> str:
    """``translation`` with a capital at the beginning of a sentence."""
    begins = not before.strip() or before.rstrip().endswith((".", "!", "?", "¿", "¡"))
    return translation[0].upper() + translation[1:] if begins else translation
