"""Finds sentences in text that arrives in pieces.

What is found depends on the text alone and not on how it is cut into pieces. A sentence is given
out as soon as the first character after it is known, so that it can be spoken at once.
"""

import re
from typing import Final

from sessions_app.agents.speakable.abbreviations import ABBREVIATIONS, BEFORE_NUMBERS

LONGEST: Final = 280
"""Characters. A longer sentence is cut at a comma, or else at a space, or else there."""

_SHORTEST_CUT: Final = 40
"""Characters that a cut leaves before it, where there is a pause after that."""

# An end of a sentence, perhaps with closing quotes and markdown; a space follows.
_END: Final = re.compile(
    r"(?<![.!?…؟।۔])[.!?…؟।۔]+[)\]\"'”’»*_`]*(?= )|[。！？]+[」』”)]*"  # noqa: RUF001 - CJK punctuation
)
_PAUSE: Final = re.compile(r"[,;:](?= )")
_LAST_WORD: Final = re.compile(r"(?:^|[\s(\[\"'«“„*_])([^\W\d_]+|\d+)\.$|(?<!\w)(\w)\.$")


class SentenceSplitter:
    """For one answer. ``language`` (ISO 639-1) chooses the abbreviations.

    Nothing is lost or added but white space: a run of it becomes one space, or separates sentences.
    """

    def __init__(self, language: str) -> None:
        self._language = language.split("-")[0].lower()
        self._abbreviations = ABBREVIATIONS.get(self._language, frozenset())
        self._text = ""
        self._space = ""  # seen after ``_text``: nothing, a space or a line's end
        self._searched = 0  # there is no end before this position

    def feed(self, text: str) -> list[str]:
        """Take the next piece; the sentences that are complete now."""
        found: list[str] = []
        for part in re.split(r"(\s+)", text):
            if not part:
                continue
            if part.isspace():
                newline = any(character in "\n\r\v\f\u2028\u2029\x85" for character in part)
                if newline and self._space != "\n":
                    found += self._rest()
                self._space = "\n" if newline or self._space == "\n" else " "
                continue
            if self._text and self._space:
                self._text += " "
            self._space = ""
            self._text += part
            found += self._complete()
        return found

    def close(self) -> list[str]:
        """The rest, when no more text comes."""
        self._space = ""
        return self._rest()

    def _rest(self) -> list[str]:
        found = self._complete(last=True)
        if self._text:
            found.append(self._text)
            self._text, self._searched = "", 0
        return found

    def _complete(self, last: bool = False) -> list[str]:
        found = []
        while (end := self._end(last)) is not None:
            sentence, rest = self._text[:end].rstrip(), self._text[end:].lstrip()
            self._text, self._searched = rest, 0
            if sentence:
                found.append(sentence)
        return found

    def _end(self, last: bool) -> int | None:
        """The position after the first sentence of ``_text``; None: it goes on."""
        text = self._text
        # No further than a sentence may reach: the time for a long run of dots grows as its square.
        for match in _END.finditer(text, self._searched, LONGEST + 2):
            if match.end() > LONGEST:
                break
            if match.end() == len(text):  # what follows may belong to it, as a closing quote
                if not last:
                    return None
                break
            if self._ends(match):
                return match.end()
            self._searched = match.end()
        return _cut(text) if len(text) > LONGEST + 1 else None

    def _ends(self, match: re.Match[str]) -> bool:
        """Whether a sentence ends at ``match``."""
        text, end = self._text, match.end()
        mark = match.group().rstrip(")]\"'”’»*_`")  # noqa: RUF001 - a closing quote
        if mark[-1] not in ".…":
            return True
        following = text[end + 1]
        if following.islower():
            return False
        if mark != ".":
            return True
        last_word = _LAST_WORD.search(text, 0, match.start() + 1)
        if last_word is None:
            return True
        word = last_word.group(1) or last_word.group(2)
        if word.isdigit():
            # "1. Open the lid", and in German "am 3. März".
            alone = not text[: match.start() - len(word)].strip("*_ ")
            return not (alone or (self._language == "de" and len(word) <= 2))
        word = word.lower()
        if word in BEFORE_NUMBERS and not following.isdigit():
            return True
        return len(word) > 1 and word not in self._abbreviations


def _cut(text: str) -> int:
    """Where to cut a sentence that is too long."""
    pauses = [match.end() for match in _PAUSE.finditer(text, 0, LONGEST)]
    if pauses and pauses[-1] > _SHORTEST_CUT:
        return pauses[-1]
    space = text.rfind(" ", _SHORTEST_CUT, LONGEST)
    return space if space > 0 else LONGEST
