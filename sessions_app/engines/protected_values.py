"""Values that a translation must not change: numbers, codes, e-mail addresses, URLs.

``lost_values`` says which of a text's values a translation lacks, ``restore_values`` puts those
back that the translation has in another form.
"""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_VALUE: Final = re.compile(
    r"""
      (?:https?://|www\.)[^\s<>"']+                              # a URL
    | [\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+                            # an e-mail address
    | (?<![\w.])(?:[a-z0-9\-]+\.)+(?:com|org|net|io|eu|es|de|fr|uk|us)\b(?:/[^\s<>"']*)?
    | (?<![A-Za-z])(?:[A-Z]-){2,}[A-Z](?![A-Za-z])               # spelled: K-A-L
    | \+\d[\d ().\-]{5,}\d                                       # a phone number
    | (?<![A-Za-z0-9])\d+(?:[.,:/\-]\d+)*(?![A-Za-z0-9]|[\-/_][A-Za-z])  # a number, date, time
    | (?<![A-Za-z0-9])[A-Za-z0-9]+(?:[\-/_][A-Za-z0-9]+)*       # a code, a number, or a word
    """,
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"\d+(?:[.,:/\-]\d+)*")

_DIGIT_GROUPS: Final = re.compile(r"(?<!\d)\d+(?: \d+)+(?!\d)")
"""``555 0100``: each group is a value of its own, and an engine may join them."""

_LONGEST: Final = 2000  # characters that are searched: a whole minute of speech has fewer
_MOST: Final = 50  # values that are looked after
_MATCHING: Final = 0.5  # share of common characters from which one value is the other, changed

_WORDS: Final[dict[str, str]] = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty",
    "es": "cero un|uno|una dos tres cuatro cinco seis siete ocho nueve diez once doce trece "
    "catorce quince dieciséis diecisiete dieciocho diecinueve veinte",
    "fr": "zéro un|une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze "
    "quinze seize dix-sept dix-huit dix-neuf vingt",
    "de": "null ein|eins|eine|einen|einem|einer zwei drei vier fünf sechs sieben acht neun zehn "
    "elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig",
    "pt": "zero um|uma dois|duas três quatro cinco seis sete oito nove dez onze doze treze catorze "
    "quinze dezasseis|dezesseis dezassete|dezessete dezoito dezanove|dezenove vinte",
    "it": "zero un|uno|una due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici quindici sedici diciassette diciotto diciannove venti",
    "ca": "zero un|una dos|dues tres quatre cinc sis set vuit nou deu onze dotze tretze catorze "
    "quinze setze disset divuit dinou vint",
}
"""The numbers from 0 to 20 in words: an engine may write them out, and nothing is lost."""

_TENS: Final[dict[str, str]] = {
    "en": "thirty forty fifty sixty seventy eighty ninety hundred",
    "es": "treinta cuarenta cincuenta sesenta setenta ochenta noventa cien|ciento",
    "fr": "trente quarante cinquante soixante soixante-dix quatre-vingts quatre-vingt-dix cent",
    "de": "dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert|einhundert",
    "pt": "trinta quarenta cinquenta sessenta setenta oitenta noventa cem|cento",
    "it": "trenta quaranta cinquanta sessanta settanta ottanta novanta cento",
    "ca": "trenta quaranta cinquanta seixanta setanta vuitanta noranta cent",
}
"""30, 40, … 100."""


def find_values(text: str) -> list[str]:
    """The values in ``text``, in order, each as often as it occurs."""
    return [text[start:end] for start, end in _spans(text)]


def lost_values(text: str, translation: str, target: str) -> list[str]:
    """The values of ``text`` that ``translation``, in the language ``target``, does not have."""
    left = translation
    lost = []
    for value in find_values(text):
        found = _exactly(value, left) or _in_words(value, left, target)
        if found is None:
            lost.append(value)
        else:
            left = left[: found.start()] + "\0" + left[found.end() :]
    return lost


def restore_values(text: str, translation: str, target: str) -> str:
    """``translation`` with values of ``text`` that came in another form put back."""
    for run in _DIGIT_GROUPS.findall(text[:_LONGEST])[:_MOST]:
        if found := _exactly(run.replace(" ", ""), translation):
            translation = translation[: found.start()] + run + translation[found.end() :]
    for value in lost_values(text, translation, target):
        if found := _spaced(value).search(translation):
            translation = translation[: found.start()] + value + translation[found.end() :]
    lost = lost_values(text, translation, target)
    added = _added(text, translation)
    if not lost or not added:
        return translation
    for value, (start, end) in reversed(_paired(lost, added, translation)):
        translation = translation[:start] + value + translation[end:]
    return translation


def _spans(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for match in _VALUE.finditer(text[:_LONGEST]):
        if len(spans) >= _MOST:
            break
        value, start = match[0], match.start()
        if _is_word(value):
            # "3rd", "5pm", "24-hour": the rest is translated, the number stays.
            spans += [(start + n.start(), start + n.end()) for n in _NUMBER.finditer(value)]
            continue
        # What follows a URL or an address at the end of a sentence is no part of it.
        spans.append((start, start + len(value.rstrip(".,;:!?)"))))
    return spans


def _is_word(value: str) -> bool:
    """Whether a match is letters, or a number with letters that are translated."""
    if not value.replace("-", "").replace("/", "").replace("_", "").isalnum():
        return False
    if re.fullmatch(r"(?:[A-Z]-){2,}[A-Z]", value):
        return False
    if not any(c.isalpha() for c in value):
        return False
    parts = re.split(r"[\-/_]", value)
    mixed = any(re.fullmatch(r"(?=.*\d)(?=.*[A-Z]).*|[A-Za-z]+\d.*", part) for part in parts)
    letters = [part for part in parts if part.isalpha()]
    capitals = any(c.isdigit() for c in value) and letters and all(p.isupper() for p in letters)
    return not (mixed or capitals)


def _exactly(value: str, text: str) -> re.Match[str] | None:
    """``value`` in ``text``, not as a part of a longer number or word."""
    before = r"(?<![A-Za-z0-9])(?<!\d[.,:])"
    after = r"(?![0-9])(?![.,:]\d)" if value[-1].isdigit() else r"(?![A-Za-z0-9])"
    pattern = re.compile(before + re.escape(_plain_digits(value)) + after)
    return pattern.search(_plain_digits(text))


def _plain_digits(text: str) -> str:
    """``text`` with the digits of every script as ASCII digits; its length stays the same."""
    return "".join(
        str(unicodedata.digit(c)) if not c.isascii() and c.isdecimal() else c for c in text
    )


def _in_words(value: str, text: str, target: str) -> re.Match[str] | None:
    if not value.isdecimal() or len(value) > 3 or str(int(value)) != value:
        return None
    words = _words_for(int(value), target)
    return re.search(rf"(?<![\w-])(?:{words})(?!\w|-\w)", text, re.IGNORECASE) if words else None


def _words_for(number: int, language: str) -> str:
    """A pattern of the words for ``number``; empty: they are not known."""
    small, tens = _WORDS.get(language, "").split(), _TENS.get(language, "").split()
    if number < len(small):
        return small[number]
    if number >= 30 and number % 10 == 0 and number // 10 - 3 < len(tens):
        return tens[number // 10 - 3]
    if language == "en" and 20 < number < 100:
        return f"{[small[20], *tens][number // 10 - 2]}[- ]{small[number % 10]}"
    return ""


def _spaced(value: str) -> re.Pattern[str]:
    """``value`` in any case and with other separators: ``info @ example.com``, ``ab 1234``."""
    bare = [c for c in value if not c.isspace() and c not in "-/_.,"] or list(value)
    pattern = re.escape(bare[0])
    for before, character in itertools.pairwise(bare):
        # "1, 5" is two numbers, "1,500" is one.
        digits = before.isdigit() and character.isdigit()
        pattern += r"[\s\-/_.,]?" if digits else r"\s*[\-/_.,]?/?\s*"
        pattern += re.escape(character)
    return re.compile(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", re.IGNORECASE)


def _added(text: str, translation: str) -> list[tuple[int, int]]:
    """Where ``translation`` has values that ``text`` does not have."""
    known = find_values(text)
    added = []
    for start, end in _spans(translation):
        value = translation[start:end]
        if value in known:
            known.remove(value)
        else:
            added.append((start, end))
    return added


def _paired(
    lost: Sequence[str], added: Sequence[tuple[int, int]], translation: str
) -> list[tuple[str, tuple[int, int]]]:
    """Which lost value each added one stands for, in the order of the translation."""
    if len(lost) == len(added):
        return list(zip(lost, added, strict=True))
    pairs, free = [], list(lost)
    for span in added:
        found = translation[slice(*span)]
        best = max(free, key=lambda value: _alike(value, found), default=None)
        if best is not None and _alike(best, found) >= _MATCHING:
            free.remove(best)
            pairs.append((best, span))
    return pairs


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, _bare(one), _bare(other), autojunk=False).ratio()


def _bare(value: str) -> str:
    return re.sub(r"[\W_]", "", value).lower()
