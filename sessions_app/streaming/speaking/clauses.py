"""Finds the clauses of an utterance that can be spoken before it ends, and what is left at its end.

The words on which two successive partials agree hardly change any more (LocalAgreement: Liu et al.,
https://arxiv.org/abs/2005.11185; with Whisper: Macháček et al., https://arxiv.org/abs/2307.14743).
Nor do words that were said some seconds ago, whatever the recognizer makes of them.
They are cut where a clause ends, a few words before the end of the partial. What has been spoken is
found again in every later text of the utterance, so that nothing is said twice when the recognizer
has revised its words meanwhile.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from sessions_app.streaming.speaking.clause_words import (
    ABBREVIATIONS,
    BEGINS_A_CLAUSE,
    DIGITS,
    MAY_BEGIN_A_CLAUSE,
    NEEDS_THE_NEXT_WORD,
    NUMBER_WORDS,
)

KEPT_BACK: Final = 3
"""Words at the end of a partial that are not spoken yet: recognizers guess where audio ends."""

SETTLED: Final = 10
"""Words before the end of a partial from which on they count as certain, even if they were just
revised: what was said some seconds ago is heard no better later, and a recognizer that goes to and
fro between two words would hold up everything after them."""

SHORTEST_SENTENCE: Final = 2
"""Words of a clause that ends in a full stop."""

SHORTEST_CLAUSE: Final = 4
"""Words of a clause that ends in a comma, or where nothing is written."""

LONG_CLAUSE: Final = 7
"""Words of a clause that ends before a word which often does not begin the next one."""

LONGEST_CLAUSE: Final = 10
"""Words of a clause that ends between any two words that may be parted: recognizers sometimes write
no punctuation, and few clauses begin with a conjunction."""

_ENDS_A_SENTENCE: Final = tuple(".?!…。？！؟।")  # noqa: RUF001 - punctuation of other scripts is meant
_ENDS_A_CLAUSE: Final = tuple(",;:–—،，；")  # noqa: RUF001 - punctuation of other scripts is meant


@dataclass(frozen=True, slots=True)
class Word:
    """``plain`` is for comparisons: without case and punctuation, small numbers in digits;
    never empty."""

    written: str
    plain: str


@dataclass(frozen=True, slots=True)
class Clause:
    """``before`` is what was spoken of the utterance before it, as it was written then. ``share``
    is where in the text the clause ends, 0 to 1."""

    text: str
    before: str
    share: float


def words_of(text: str) -> list[Word]:
    """The words of a text. Punctuation between spaces belongs to the word before it."""
    words: list[Word] = []
    for written in text.split():
        plain = _plain(written)
        if plain:
            words.append(Word(written, plain))
        elif words:
            words[-1] = Word(f"{words[-1].written} {written}", words[-1].plain)
    return words


def follow(before: Sequence[str], after: Sequence[str], position: int) -> int:
    """Where the first ``position`` words of a text end in ``after``, a later version of it.

    A word that was put in at that place counts as not spoken.
    """
    if list(after[:position]) == list(before[:position]):
        return position
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if not start < position <= end:
            continue
        if tag == "equal":
            return new_start + position - start
        share = (position - start) / (end - start)
        return new_start + round(share * (new_end - new_start))
    return 0


class ClauseFinder:
    """For one utterance. At most one clause is *offered* at a time: it is then accepted, which
    means that it is spoken, or refused."""

    def __init__(self) -> None:
        self._words: list[Word] = []
        self._agreed = 0
        self._spoken = 0
        self._offered: int | None = None
        self._accepted: list[str] = []

    @property
    def accepted(self) -> str:
        """What is spoken of the utterance, as it was written when it was offered."""
        return " ".join(self._accepted)

    def observe(self, text: str) -> None:
        """The next partial."""
        words = words_of(text)
        before, after = _plains(self._words), _plains(words)
        spoken = follow(before, after, self._spoken)
        settled = max(spoken, len(after) - SETTLED)
        settled_before = follow(after, before, settled) if settled > spoken else self._spoken
        agreed = settled + _agreement(before[settled_before:], after[settled:])
        if self._offered is not None:
            self._offered = max(spoken, follow(before, after, self._offered))
        self._words, self._spoken, self._agreed = words, spoken, agreed

    def offer(self, language: str) -> Clause | None:
        """The longest clause that will not change any more, if there is one."""
        if self._offered is not None:
            return None
        # The word after the cut must be certain as well.
        latest = min(self._agreed - 1, len(self._words) - KEPT_BACK)
        cuts = range(latest, self._spoken, -1)
        cut = next((each for each in cuts if self._ends_at(each, language)), None)
        if cut is None and latest - self._spoken >= LONGEST_CLAUSE:
            least = self._spoken + LONG_CLAUSE
            cut = next((each for each in cuts if each >= least and self._may_part(each)), None)
        if cut is None:
            return None
        self._offered = cut
        letters = [len(word.written) for word in self._words]
        return Clause(
            _written(self._words[self._spoken : cut]),
            self.accepted,
            sum(letters[:cut]) / sum(letters),
        )

    def _ends_at(self, cut: int, language: str) -> bool:
        return _is_boundary(self._words, cut, cut - self._spoken, language)

    def _may_part(self, cut: int) -> bool:
        last, following = self._words[cut - 1], self._words[cut]
        return _may_end(self._words, cut) and not (_is_name(last) and _is_name(following))

    def accept(self, clause: Clause) -> None:
        """The clause that was offered is spoken from now on."""
        assert self._offered is not None
        self._accepted.append(clause.text)
        self._spoken, self._offered = self._offered, None

    def refuse(self) -> None:
        """The clause that was offered is not spoken: its words are offered again."""
        self._offered = None

    def rest(self, text: str) -> str:
        """What is not spoken of ``text``, the final text of the utterance."""
        words = words_of(text)
        spoken = follow(_plains(self._words), _plains(words), self._spoken)
        return _written(words[spoken:])


def _plain(written: str) -> str:
    normal = unicodedata.normalize("NFKC", written).casefold()
    plain = "".join(each for each in normal if unicodedata.category(each)[0] in "LNM")
    return DIGITS.get(plain, plain)


def _plains(words: Sequence[Word]) -> list[str]:
    return [word.plain for word in words]


def _written(words: Sequence[Word]) -> str:
    return " ".join(word.written for word in words)


def _agreement(before: Sequence[str], after: Sequence[str]) -> int:
    """How many words at their beginning two texts have in common."""
    count = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        count += 1
    return count


def _is_boundary(words: Sequence[Word], cut: int, length: int, language: str) -> bool:
    """Whether a clause of ``length`` words may end before word ``cut``."""
    last, following = words[cut - 1], words[cut]
    if not _may_end(words, cut):
        return False
    bare = last.written.rstrip("\"'”’»)")  # noqa: RUF001 - closing quotes of several languages
    if bare.endswith(_ENDS_A_SENTENCE):
        return length >= SHORTEST_SENTENCE and not _is_abbreviation(last)
    if length < SHORTEST_CLAUSE:
        return False
    if bare.endswith(_ENDS_A_CLAUSE):
        return not (_is_name(last) and _is_name(following))
    begins = following.plain in BEGINS_A_CLAUSE.get(language, ())
    may_begin = following.plain in MAY_BEGIN_A_CLAUSE.get(language, ())
    if not begins and not (may_begin and length >= LONG_CLAUSE):
        return False
    # "Smith and Sons": the word after the conjunction is not the last one, see KEPT_BACK.
    return not (_is_name(last) and _is_name(words[cut + 1]))


def _may_end(words: Sequence[Word], cut: int) -> bool:
    """Whether the word before ``cut`` belongs to nothing that comes after it."""
    return words[cut - 1].plain not in NEEDS_THE_NEXT_WORD and not _is_in_number(words, cut)


def _is_in_number(words: Sequence[Word], cut: int) -> bool:
    if not _is_number(words[cut - 1]):
        return False
    if _is_number(words[cut]):
        return True
    joined = any(words[cut].plain in joining for joining in BEGINS_A_CLAUSE.values())
    return joined and _is_number(words[cut + 1])


def _is_number(word: Word) -> bool:
    return word.plain in NUMBER_WORDS or any(each.isdigit() for each in word.plain)


def _is_abbreviation(word: Word) -> bool:
    return word.written.endswith(".") and (word.plain in ABBREVIATIONS or len(word.plain) == 1)


def _is_name(word: Word) -> bool:
    """Whether it is written like a name. English "I" is not."""
    first = word.written.lstrip("\"'“‘«(¿¡")[:1]  # noqa: RUF001 - opening quotes
    return first.isupper() and word.plain not in ("i", "im", "ive", "ill", "id")
