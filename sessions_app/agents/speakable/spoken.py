"""Turns one written sentence into words that can be spoken.

In a language without words of its own here, only markdown and signs that cannot be spoken are
removed; numbers stay, and synthesizers read them in their own way.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from sessions_app.agents.speakable import numbers
from sessions_app.agents.speakable.words import WORDS, Words

LONGEST: Final = 600
"""Characters of a sentence that are spoken; the splitter gives out shorter ones."""

_CODES: Final = {"€": "EUR", "$": "USD", "£": "GBP", "EUR": "EUR", "USD": "USD", "GBP": "GBP"} | {
    "CHF": "CHF",
    "US$": "USD",
    "R$": "BRL",
}
_SIGN: Final = r"US\$|R\$|[€$£]|EUR\b|USD\b|GBP\b|CHF\b"
_PESO_COUNTRIES: Final = frozenset({"mx", "ar", "cl", "co", "cu", "do", "uy"})
"""Where ``$`` means pesos."""

_LETTERS: Final = {
    "k": "thousand",
    "K": "thousand",
    "M": "million",
    "B": "billion",
    "bn": "billion",
}
"""English, after an amount: "$5M"."""

_DIGITS: Final = r"\d{1,3}(?:[   '’]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"  # noqa: RUF001

_LINK: Final = re.compile(r"!?\[([^\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_MARKS: Final = re.compile(
    r"\*+|~~+|`+|(?<![^\W_])_+(?=\S)|(?<=\S)_+(?![^\W_])|\[\[|\]\]|"
    r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]{0,80})?/?>"
)
_LINE_START: Final = re.compile(r"^\s*(?:(?:#{1,6}|>+|[-+•·–—*])\s+)+")  # noqa: RUF001 - a dash
_RULER: Final = re.compile(r"^[\s\-=_*|:+]+$")
_NUMBERED: Final = re.compile(r"^\s*(\d{1,2})[.)]\s+(?=\S)")

_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_URL: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"]+|"
    r"\b(?:[a-z0-9-]{1,63}\.)+(?:com|org|net|eu|io|de|fr|es|it|pt|uk|br|info|app|shop)\b(?:/[^\s<>\"]*)?",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"\b\d{4}([-/])\d{1,2}\1\d{1,2}\b|"
    r"\b\d{1,2}(?:([./])\d{1,2}\2(?:\d{4}|\d{2})|-\d{1,2}-\d{4})\b(?![.,]?\d)"
)
_TIME: Final = re.compile(r"\b([01]?\d|2[0-3])[:h]([0-5]\d)(?::[0-5]\d)?\b(?:\s*(Uhr|h)\b)?")
# Hours and minutes with a full stop between them are a time only beside such words.
_DOTTED_TIMES: Final = {
    "de": re.compile(
        r"\b([01]?\d|2[0-3])\.([0-5]\d)"
        r"(?:\s?Uhr\b|(?=\s?(?:[–-]|bis|und)\s?\d{1,2}[.:][0-5]\d\s?Uhr\b))"  # noqa: RUF001 - a dash
    ),
    "it": re.compile(r"(?<=lle |ore )([01]?\d|2[0-3])\.([0-5]\d)\b(?![.,]?\d)", re.IGNORECASE),
}
_WHOLE_HOUR: Final = re.compile(r"\b(\d{1,2})\s?h\b")
_GERMAN_DATE: Final = re.compile(r"(?<![\w.,])(0?[1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\.(?!\d)")
_SECTIONS: Final = frozenset({"version", "kapitel", "abschnitt", "punkt", "ziffer", "artikel"})
_HALF_DAY: Final = re.compile(r"\b(1[0-2]|0?[1-9])(?::([0-5]\d))?\s*([ap])\.?m\b\.?", re.IGNORECASE)
_SCALE: Final = (
    r"(?:\s?(?P<scale>millones|milliards?|millions?|billions?|Millionen|Milliarden|milioni|"
    r"miliardi|milhões|k|K|M|B|bn)\b)?"
)
_AMOUNT: Final = re.compile(
    rf"(?P<before>{_SIGN})\s?(?P<first>{_DIGITS})(?!\d){_SCALE}(?!\w)|"
    rf"(?P<second>{_DIGITS})\s?(?P<after>{_SIGN})"
)
_PHONE: Final = re.compile(r"(?<![\w.,])(?:\+\d|\(\d|\d)[\d ()/.\-]{5,24}\d(?![\w])")
_DEGREES: Final = re.compile(rf"({_DIGITS})\s?°(\s?[CF]\b)?(?!\w)")
_PERCENT: Final = re.compile(rf"({_DIGITS})\s?%")
_RANGE: Final = re.compile(r"(?<=[\d\ue001])\s?[–-]\s?(?=[\d\ue000])")  # noqa: RUF001 - a dash
_ORDINAL: Final = re.compile(r"\b(\d{1,4})(?:(st|nd|rd|th)|(er|re|ère|e|ème)|\.?([ºª°]))(?!\w)")
_DAY: Final = re.compile(r"(\w*)(\s?)\b(\d{1,2})\. (?=[A-ZÄÖÜ])")
_YEAR: Final = re.compile(r"\b(in|since|of|until|by|from|im Jahr|seit) ((?:1[1-9]|20)\d\d)\b")
_NEGATIVE: Final = re.compile(r"(?<![^\s(])[-−](?=[€$£]?\d)")  # noqa: RUF001 - a minus sign
_CODE: Final = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
_NUMBER: Final = re.compile(rf"(?<![\w])(?:{_DIGITS})(?![\w])")


def speakable(sentence: str, language: str) -> str:
    """``sentence`` in words; empty if there is nothing to say. ``language`` may have a region."""
    text = _plain(sentence[:LONGEST])
    base = language.split("-")[0].lower()
    words = WORDS.get(base)
    if words is not None:
        text = _worded(text, base, language, words)
    text = re.sub(r"[#|\\<>{}~^]|[\ufe0f\u20e3]", " ", text)
    text = re.sub(r"\s+([,.;:!?])(?=\s|$)", r"\1", " ".join(text.split()))
    return text if any(character.isalnum() for character in text) else ""


def _plain(text: str) -> str:
    """Without markdown, emojis and control characters."""
    if _RULER.match(text) or text.lstrip().startswith("```"):
        return ""
    text = _LINK.sub(r"\1", text)
    text = _NUMBERED.sub(r"\1: ", _LINE_START.sub("", text))
    if text.count("|") >= 2:  # a row of a table
        text = ", ".join(cell.strip() for cell in text.split("|") if cell.strip())
    text = _MARKS.sub("", text)
    return "".join(map(_spoken_sign, text))


def _spoken_sign(character: str) -> str:
    """``character``, or a space instead of it; nothing instead of one without width."""
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    silent = category[0] in "CZ" or category in ("So", "Sk")
    return " " if silent and character != "°" else character


def _worded(text: str, base: str, tag: str, words: Words) -> str:
    kept: list[str] = []

    def keep(spoken: str) -> str:
        """A place for words in which nothing is replaced any more."""
        kept.append(spoken)
        return f"\ue000{chr(0xE100 + len(kept) - 1)}\ue001"

    def replace(pattern: re.Pattern[str], say: Callable[[re.Match[str]], str | None]) -> None:
        nonlocal text

        def substitute(match: re.Match[str]) -> str:
            spoken = say(match)
            return match.group() if spoken is None else keep(spoken)

        text = pattern.sub(substitute, text)

    replace(_EMAIL, lambda match: _address(match.group(), words))
    replace(_URL, lambda match: _url(match.group(), words))
    text = text.replace("&", f" {words.ampersand} ")
    replace(_DATE, lambda match: _date(match, base, tag))
    if base == "en":
        replace(_HALF_DAY, _half_day)
    if base in _DOTTED_TIMES:
        replace(_DOTTED_TIMES[base], lambda match: _time(match, base))
    if base == "de":
        replace(_GERMAN_DATE, _german_date)
    replace(_TIME, lambda match: _time(match, base))
    if base in ("fr", "pt"):
        replace(_WHOLE_HOUR, lambda match: numbers.time(int(match.group(1)), 0, base))
    text = _NEGATIVE.sub(f"{words.minus} ", text)
    replace(_AMOUNT, lambda match: _amount(match, base, tag))
    replace(_PHONE, lambda match: _phone(match.group(), base))
    replace(_PERCENT, lambda match: f"{numbers.number(match.group(1), base)} {words.percent}")
    replace(_DEGREES, lambda match: _degrees(match, base, words))
    replace(_ORDINAL, lambda match: _ordinal(match, base))
    if base == "de":
        text = _DAY.sub(lambda match: _german_day(match, keep), text)
    replace(_YEAR, lambda match: _year(match, base))
    replace(_CODE, lambda match: _code(match.group(), base))
    text = _RANGE.sub(f" {words.up_to} ", text)
    text = re.sub(r"(?<=\d)/(?=\d)", " ", text)  # 24/7
    replace(_NUMBER, lambda match: _number(match.group(), base))
    for position in range(len(kept) - 1, -1, -1):
        text = text.replace(f"\ue000{chr(0xE100 + position)}\ue001", kept[position])
    return text


def _address(text: str, words: Words) -> str:
    """An e-mail address or the name of a server."""
    said = {".": words.dot, "@": words.at, "/": words.slash, "-": words.hyphen}
    said |= {"_": words.underscore, "+": words.plus}
    return " ".join(said.get(piece, piece) for piece in re.split(r"([.@/\-_+])", text) if piece)


def _url(text: str, words: Words) -> str:
    """The server's name, and a short path: nobody can remember more."""
    stripped = text.rstrip(".,;:!?)'\"…")
    end = text[len(stripped) :].replace(")", "")
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", stripped, flags=re.IGNORECASE)
    host, _, path = re.split(r"[?#]", address)[0].partition("/")
    path = path.strip("/")
    if path and len(path) <= 24 and path.count("/") <= 1 and "?" not in address:
        host = f"{host}/{path}"
    return _address(host, words) + end


def _date(match: re.Match[str], base: str, tag: str) -> str | None:
    found = numbers.day_and_month(match.group(), tag)
    if found is None or (base == "en" and re.search(r"\.\d\d$", match.group())):  # a version
        return None
    return numbers.date(*found, base, _word_before(match))


def _word_before(match: re.Match[str]) -> str:
    before = re.search(r"(\w+)\s*$", match.string[: match.start()])
    return before.group(1) if before else ""


def _german_date(match: re.Match[str]) -> str | None:
    """ "am 24.12.": a date without a year."""
    before = _word_before(match)
    if before.lower() in _SECTIONS:
        return None
    end = "" if match.string[match.end() :].strip() else "."
    return numbers.date(int(match.group(1)), int(match.group(2)), None, "de", before) + end


def _time(match: re.Match[str], base: str) -> str:
    return numbers.time(int(match.group(1)), int(match.group(2)), base)


def _degrees(match: re.Match[str], base: str, words: Words) -> str | None:
    following = match.string[match.end() :]
    if base == "it" and not match.group(2) and re.match(r" [^\W\d_]{4}", following):
        return None  # "3° piano"
    return f"{numbers.number(match.group(1), base)} {words.degrees}"


def _half_day(match: re.Match[str]) -> str:
    hour, minute, half = int(match.group(1)), int(match.group(2) or 0), match.group(3).lower()
    spoken = numbers.time(hour, minute, "en") if minute else numbers.cardinal(hour, "en")
    return f"{spoken} {half} m"


def _amount(match: re.Match[str], base: str, tag: str) -> str | None:
    sign = match.group("before") or match.group("after")
    pesos = sign == "$" and base == "es" and tag[-2:].lower() in _PESO_COUNTRIES
    written = match.group("first") or match.group("second")
    scale = match.group("scale") or ""
    if scale in _LETTERS:
        if base != "en":
            return None
        scale = _LETTERS[scale]
    return numbers.amount(written, "peso" if pesos else _CODES[sign], base, scale)


def _phone(text: str, base: str) -> str | None:
    count = sum(each.isdigit() for each in text)
    if (
        not 7 <= count <= 15
        or re.search(r"[ ()/.\-]{3}", text)
        or re.search(r"\d[.,]\d{3}[.,]", text)
    ):
        return None
    groups = re.findall(r"\d+", text)
    if _is_range(text, base):
        return None
    begins = text[0] in "+(" or text[0] == "0"
    # The French write thousands like that.
    thousands = base == "fr" and not begins and all(len(group) == 3 for group in groups[1:])
    separated = len(groups) > 1 and not thousands and not re.search(r"\d-\d{1,2}$", text)
    return numbers.telephone(text, base) if begins or separated else None


def _is_range(text: str, base: str) -> bool:
    """ "2020-2024", "1000-2000" and, where a full stop separates thousands, "1.000-2.000"."""
    if base != "en" and re.fullmatch(r"\d{1,3}(?:\.\d{3})+ ?- ?\d{1,3}(?:\.\d{3})+", text):
        return True
    if not re.fullmatch(r"\d{4} ?- ?\d{4}", text):
        return False
    first, last = int(text[:4]), int(text[-4:])
    years = 1500 <= first < last <= 2100
    return years or (0 < first < last and first % 100 == last % 100 == 0)


def _ordinal(match: re.Match[str], base: str) -> str | None:
    suffixes = {"en": 2, "fr": 3, "es": 4, "it": 4, "pt": 4}
    if base not in suffixes or not match.group(suffixes[base]) or int(match.group(1)) == 0:
        return None
    spoken = numbers.ordinal(int(match.group(1)), base)
    if match.group().endswith("ª"):
        spoken = re.sub(r"o\b", "a", spoken)
    if match.group(3) in ("re", "ère"):
        spoken = re.sub(r"premier$", "première", spoken)
    return spoken


def _german_day(match: re.Match[str], keep: Callable[[str], str]) -> str:
    """ "am 3. März": a day or an ordinal."""
    before, day = match.group(1), int(match.group(3))
    month = match.string[match.end() :].startswith(WORDS["de"].months)
    if not (before or month) or not 0 < day <= 99:
        return match.group()
    spoken = numbers.ordinal(day, "de")
    ending = numbers.GERMAN_ENDINGS.get(before.lower(), "r")
    return f"{before}{match.group(2)}{keep(spoken + ending)} "


def _year(match: re.Match[str], base: str) -> str | None:
    if base not in ("en", "de"):
        return None
    return f"{match.group(1)} {numbers.year_in_words(int(match.group(2)), base)}"


def _code(text: str, base: str) -> str | None:
    """A booking code or the like, sign by sign; short ones such as "4G" stay."""
    if len(text.replace("-", "")) < 4:
        return None
    groups = [
        " ".join(numbers.digits(each, base) if each.isdigit() else each for each in group)
        for group in text.split("-")
    ]
    return ", ".join(groups)


def _number(text: str, base: str) -> str:
    if text.isdecimal() and (len(text) >= 7 or (text.startswith("0") and len(text) > 1)):
        return numbers.telephone(text, base)  # an account or order number
    return numbers.number(text, base)
