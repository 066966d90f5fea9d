"""The phrases of a language, from ``phrases/<language>.toml``."""

import functools
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DIRECTORY: Final = Path(__file__).parent / "phrases"
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)

LANGUAGES: Final = frozenset(path.stem for path in _DIRECTORY.glob("*.toml"))


def tokens(text: str) -> tuple[str, ...]:
    """The words of ``text`` in small letters, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return tuple(_WORD.findall(plain))


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """``said`` are phrases of callers by what they mean, as words, the longest first."""

    said: dict[str, tuple[tuple[str, ...], ...]]
    stop_words: frozenset[str]
    replies: dict[str, str]

    def find(self, meaning: str, words: tuple[str, ...]) -> bool:
        """Whether a phrase of that meaning occurs in ``words``."""
        return self.without(words, meaning) != words

    def without(self, words: tuple[str, ...], *meanings: str) -> tuple[str, ...]:
        """``words`` without the phrases of these meanings."""
        for meaning in meanings:
            words = _without(words, self.said[meaning])
        return words

    def begins(self, meaning: str, words: tuple[str, ...]) -> bool:
        """Whether ``words`` begin with a phrase of that meaning."""
        return any(words[: len(phrase)] == phrase for phrase in self.said[meaning])

    def only(self, words: tuple[str, ...], *meanings: str) -> bool:
        """Whether ``words`` consist of phrases of these meanings and polite ones."""
        if not any(self.find(meaning, words) for meaning in meanings):
            return False
        return not self.without(words, *meanings, "politeness")

    def content(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The words that say what is asked, each once."""
        kept = (word for word in words if word not in self.stop_words and len(word) > 1)
        return tuple(dict.fromkeys(kept))


@functools.cache
def phrasebook(language: str) -> Phrasebook:
    """The phrases of ``language`` (ISO 639-1); English ones for a language without a file."""
    base = language.split("-")[0].lower()
    path = _DIRECTORY / f"{base if base in LANGUAGES else 'en'}.toml"
    book = tomllib.loads(path.read_text(encoding="utf-8"))
    said = {
        meaning: tuple(sorted(map(tokens, phrases), key=len, reverse=True))
        for meaning, phrases in book["said"].items()
    }
    return Phrasebook(said, frozenset(tokens(book["stop"]["words"])), book["reply"])


def _without(words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    for phrase in phrases:
        length, start = len(phrase), 0
        while start + length <= len(words):
            if words[start : start + length] == phrase:
                words = words[:start] + words[start + length :]
            else:
                start += 1
    return words
