"""Terms with fixed translations, and placeholders that engines leave as they are."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SCRIPTS_WITHOUT_SPACES: Final = 0x0E00
"""The first code point, that of Thai, from which a term may have letters on both sides."""


@dataclass(frozen=True, slots=True)
class Term:
    """Where a term stands in a text, and what it becomes in the translation."""

    start: int
    end: int
    translation: str


def find_terms(text: str, glossary: Mapping[str, str]) -> list[Term]:
    """The terms of ``glossary`` in ``text``, in order; it holds in both directions."""
    if not glossary:
        return []
    pattern, translations = _prepared(tuple(glossary.items()))
    if pattern is None:
        return []
    return [
        Term(match.start(), match.end(), translations[match[0].casefold()])
        for match in pattern.finditer(text)
        if match[0].casefold() in translations
    ]


@functools.lru_cache(maxsize=64)
def _prepared(
    glossary: tuple[tuple[str, str], ...],
) -> tuple[re.Pattern[str] | None, dict[str, str]]:
    translations: dict[str, str] = {}
    for term, translation in glossary:
        if term.strip() and translation.strip():
            translations[term.strip().casefold()] = translation.strip()
    for term, translation in glossary:
        if term.strip() and translation.strip():
            translations.setdefault(translation.strip().casefold(), term.strip())
    if not translations:
        return None, {}
    longest_first = sorted(translations, key=len, reverse=True)
    return re.compile("|".join(map(_whole, longest_first)), re.IGNORECASE), translations


def _whole(term: str) -> str:
    before = r"(?<!\w)" if _is_bounded(term[0]) else ""
    after = r"(?!\w)" if _is_bounded(term[-1]) else ""
    return before + re.escape(term) + after


def _is_bounded(character: str) -> bool:
    return character.isalnum() and ord(character) < _SCRIPTS_WITHOUT_SPACES


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
