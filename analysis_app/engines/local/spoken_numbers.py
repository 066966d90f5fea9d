"""Numbers said by digits or in pairs, in six languages: "double five one", "quarante-sept deux"."""

import re

_DIGITS = (
    "zero oh one two three four five six seven eight nine "
    "cero uno una dos tres cuatro cinco seis siete ocho nueve "
    "null eins zwo zwei drei vier fünf sechs sieben acht neun "
    "zéro un deux trois quatre cinq six sept huit neuf "
    "um uma dois duas três quatro cinco sete oito nove meia "
    "due tre quattro cinque sei sette otto"
)
_UNIT = rf"(?:{'|'.join(sorted(set(_DIGITS.split()), key=len, reverse=True))})"
_TEENS = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve "
    "onze douze treize quatorze quinze seize "
    "zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn "
    "dez doze treze dezasseis dezesseis dezassete dezessete dezoito dezanove dezenove "
    "dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove"
)
_TENS = (
    "twenty thirty forty fifty sixty seventy eighty ninety "
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa "
    "vingt trente quarante cinquante septante huitante nonante "
    "zwanzig dreißig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig "
    "vinte trinta quarenta cinquenta sessenta oitenta noventa "
    "venti trenta quaranta cinquanta sessanta settanta ottanta novanta"
)
_TWO_DIGITS = "|".join(
    (
        r"(?:quatre[\s-]vingts?|soixante)(?:[\s-](?:et[\s-])?(?:dix[\s-](?:sept|huit|neuf)|dix|onze|douze|treize|quatorze|quinze|seize|une?|deux|trois|quatre|cinq|six|sept|huit|neuf))?",
        r"dix(?:[\s-](?:sept|huit|neuf))?",
        rf"(?:{'|'.join(_TENS.split())})(?:[\s-](?:(?:y|e|et)[\s-])?{_UNIT})?",
        r"(?:ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun)und(?:zwanzig|drei(?:ß|ss)ig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig)",
        r"veinti(?:uno|una|ún|d[oó]s|tr[eé]s|cuatro|cinco|s[eé]is|siete|ocho|nueve)",
        r"(?:vent|trent|quarant|cinquant|sessant|settant|ottant|novant)(?:[ia](?:due|tr[eé]|quattro|cinque|sei|sette|nove)|uno|otto)",
        "|".join(_TEENS.split()),
    )
)
_WORD = rf"(?:(?:{_TWO_DIGITS}|{_UNIT}|double|triple|doble|hundred)\b|\d+)"
SPOKEN_NUMBER = re.compile(rf"\b{_WORD}(?:[\s,.\-/]+{_WORD})+\b", re.IGNORECASE)
_PART = re.compile(
    rf"\b(?:(?P<two>{_TWO_DIGITS})|(?P<one>{_UNIT})|(?P<again>double|doble|triple))\b|(?P<digits>\d+)",
    re.IGNORECASE,
)
_SOUNDS = re.compile(r"(?:um|oh|\W)+", re.IGNORECASE)  # "um" is also Portuguese for one


def count_digits(spoken: str) -> int:
    """Digits that the words stand for: "forty seven double one" → 4. Sounds ("um, oh") are none."""
    if _SOUNDS.fullmatch(spoken):
        return 0
    count, repeat = 0, 1
    for part in _PART.finditer(spoken):
        if part["again"]:
            repeat = 3 if part["again"].lower() == "triple" else 2
            continue
        count += 2 if part["two"] else repeat * len(part["digits"] or "1")
        repeat = 1
    return count
