"""Numbers, amounts, dates, times and telephone numbers in words of the shipped languages."""

import datetime
import re
from typing import Final

from num2words import num2words

from sessions_app.agents.speakable.words import WORDS, Words

_LARGEST: Final = 10**15
"""Larger numbers are read digit by digit."""

_STRONG: Final = {"am", "vom", "zum", "dem", "den", "ab", "im", "beim", "bis", "seit"}
GERMAN_ENDINGS: Final = dict.fromkeys(_STRONG, "n") | {"der": "", "die": "", "das": ""}
"""Of an ordinal, by the word before it."""

_MONTHS_FIRST: Final = frozenset({"en", "en-us", "en-ca"})


def cardinal(number: int, language: str) -> str:
    """``number`` in words: "forty-two"."""
    if abs(number) >= _LARGEST:
        return digits(str(number), language)
    text: str = num2words(number, lang=language)
    return text.replace(",", "")  # "one thousand, two hundred": a pause that nobody makes


def ordinal(number: int, language: str) -> str:
    """ "third"; masculine where that matters, in German without its ending ("dritte")."""
    text: str = num2words(number, lang=language, to="ordinal")
    return text


def counted(number: int, language: str, feminine: bool = False) -> str:
    """``number`` in words before a noun: "ein", "veintiún", "duas"."""
    text = cardinal(number, language)
    if language == "es":
        if feminine:
            return re.sub(r"uno$", "una", text)
        return re.sub(r"uno$", "un", re.sub(r"veintiuno$", "veintiún", text))
    if language == "fr" and feminine:
        return re.sub(r"\bun$", "une", text)
    if language == "de":
        return re.sub(r"eins$", "ein", text)
    if language == "it" and number == 1:
        return "una" if feminine else "un"
    if language == "pt" and feminine:
        return re.sub(r"\bdois$", "duas", re.sub(r"\bum$", "uma", text))
    return text


def digits(text: str, language: str) -> str:
    """Every digit of ``text`` as a word."""
    return " ".join(cardinal(int(each), language) for each in text if each in "0123456789")


def parts(text: str, language: str) -> tuple[int, str] | None:
    """The whole number and the decimals of a number as it is written; None: it is none.

    ``1,234.50`` and ``1.234,50`` are both understood; where only one separator stands before three
    digits, the language says what it means.
    """
    text = re.sub(r"[\s'’_]", "", text)  # noqa: RUF001 - an apostrophe
    marks = [each for each in text if each in ".,"]
    decimal = ""
    if len(set(marks)) == 2:
        decimal = marks[-1]
        if marks.count(decimal) > 1:
            return None
    elif len(marks) == 1:
        after = len(text) - text.index(marks[0]) - 1
        if after != 3 or marks[0] == WORDS[language].comma or text.startswith("0"):
            decimal = marks[0]
    whole, _, rest = text.partition(decimal) if decimal else (text, "", "")
    groups = re.split(r"[.,]", whole)
    if len(groups) > 1 and not all(len(group) == 3 for group in groups[1:]):
        return None
    joined = "".join(groups)
    if not joined.isdecimal() or (decimal and not rest.isdecimal()):
        return None
    return int(joined[:30]), rest


def number(text: str, language: str) -> str:
    """A number as it is written, in words; dotted ones that are none (1.2.3) part by part."""
    found = parts(text, language)
    words = WORDS[language]
    if found is None:
        pieces = [piece for piece in re.split(r"[.,]", text) if piece.isdecimal()]
        return f" {words.dot} ".join(cardinal(int(piece[:30]), language) for piece in pieces)
    whole, decimals = found
    spoken = cardinal(whole, language)
    if decimals:
        # Up to two decimals are a number in most languages; English says each.
        alone = language == "en" or len(decimals) > 2 or decimals.startswith("0")
        said = digits(decimals, language) if alone else cardinal(int(decimals), language)
        spoken += f" {words.point} {said}"
    return spoken


def amount(text: str, currency: str, language: str, scale: str = "") -> str:
    """A sum of money: "twelve euros and fifty cents"; ``scale`` may be "million" or the like."""
    found, words = parts(text, language), WORDS[language]
    names = words.currencies[currency]
    if scale:
        said = f"{number(text, language)} {scale}"
        return f"{said} {_after_millions(names.many, words, language)}"
    if found is None:
        return f"{number(text, language)} {names.many}"
    whole, decimals = found
    if len(decimals) > 2:
        return f"{number(text, language)} {names.many}"
    cents = int(decimals.ljust(2, "0")) if decimals else 0
    sums = []
    if whole or not cents:
        name = names.one if whole == 1 else names.many
        if whole and whole % 1_000_000 == 0:
            name = _after_millions(name, words, language)
        sums.append(f"{counted(whole, language, names.feminine)} {name}")
    if cents:
        sums.append(f"{counted(cents, language)} {names.cent if cents == 1 else names.cents}")
    return f" {words.cents_joined} ".join(sums)


def _after_millions(name: str, words: Words, language: str) -> str:
    if language == "fr" and name[0] in "aeiou":
        return f"d'{name}"
    return f"{words.of_millions} {name}".strip()


def day_and_month(written: str, tag: str) -> tuple[int, int, int | None] | None:
    """Day, month and year of a date written with digits, such as ``2026-03-28`` or ``28.03.2026``.

    ``tag`` is the language with its region: Americans write the month first.
    """
    numbers = [int(each) for each in re.findall(r"\d+", written)]
    if len(numbers) != 3:
        return None
    first, second, third = numbers
    if first > 31:
        year, month, day = first, second, third
    else:
        day, month, year = first, second, third
        if "." not in written and tag.lower() in _MONTHS_FIRST and first <= 12:
            day, month = second, first
        elif month > 12:
            day, month = month, day
        if year < 100:
            year += 2000
    try:
        datetime.date(year, month, day)
    except ValueError:
        return None
    return day, month, year


def date(day: int, month: int, year: int | None, language: str, before: str = "") -> str:
    """A date in words; ``before`` is the word that stands before it (German inflects)."""
    name = WORDS[language].months[month - 1]
    said_year = "" if year is None else year_in_words(year, language)
    if language == "en":
        spoken = f"{name} {ordinal(day, language)}"
        return f"{spoken}, {said_year}" if said_year else spoken
    if language == "de":
        spoken = f"{ordinal(day, language)}{GERMAN_ENDINGS.get(before.lower(), 'r')} {name}"
    elif language in ("es", "pt"):
        first = "primeiro" if language == "pt" and day == 1 else cardinal(day, language)
        spoken = f"{first} de {name}"
        said_year = said_year and f"de {said_year}"
    else:
        first = {"fr": "premier", "it": "primo"}[language]
        spoken = f"{first if day == 1 else cardinal(day, language)} {name}"
    return f"{spoken} {said_year}".strip()


def year_in_words(year: int, language: str) -> str:
    """A year: "nineteen ninety-nine"."""
    if language in ("en", "de"):
        spoken: str = num2words(year, lang=language, to="year")
        return spoken
    return cardinal(year, language)


def time(hour: int, minute: int, language: str) -> str:
    """A time of the day, on the clock of 24 hours."""
    hours, minutes = cardinal(hour, language), cardinal(minute, language)
    if language == "de":
        spoken = f"{counted(hour, 'de')} Uhr"
        return f"{spoken} {minutes}" if minute else spoken
    if language == "fr":
        spoken = f"{counted(hour, 'fr', feminine=True)} heure{'s' if hour > 1 else ''}"
        return f"{spoken} {minutes}" if minute else spoken
    if language == "pt":
        spoken = f"{counted(hour, 'pt', feminine=True)} hora{'s' if hour != 1 else ''}"
        return f"{spoken} e {minutes}" if minute else spoken
    if language == "en":
        if not minute:
            return f"{hours} o'clock" if 0 < hour <= 12 else f"{hours} hundred hours"
        return f"{hours} {'oh ' if minute < 10 else ''}{minutes}"
    said_hour = counted(hour, language, feminine=True) if language == "es" else hours
    joint = {"es": "y", "it": "e"}[language]
    return f"{said_hour} {joint} {minutes}" if minute else said_hour


def telephone(text: str, language: str) -> str:
    """A telephone number, digit by digit, with a pause after each group."""
    words: Words = WORDS[language]
    groups = [piece for group in re.findall(r"\d+", text) for piece in _short(group)]
    # The French say them in pairs.
    in_pairs = language == "fr" and all(len(group) == 2 for group in groups)
    said = [
        cardinal(int(group), language)
        if in_pairs and not group.startswith("0")
        else digits(group, language)
        for group in groups
    ]
    spoken = ", ".join(said)
    return f"{words.plus} {spoken}" if text.lstrip(" (").startswith("+") else spoken


def _short(group: str) -> list[str]:
    """A group of digits, in threes if there are more than four."""
    if len(group) <= 4:
        return [group]
    return [group[at : at + 3] for at in range(0, len(group), 3)]
