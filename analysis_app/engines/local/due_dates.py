"""The day that a sentence names, in six languages."""

import datetime
import re

from dateparser.search import search_dates

_DAY_WORDS = re.compile(
    r"\b(?:by|before|until|on|next|this|para|antes|el|am|bis|d'ici|avant|até|entro)?\s*"
    r"(?:today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|month|hours?|days?"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|übermorgen|dopodomani|settiman[ae]|\d{1,2}(?:st|nd|rd|th)"
    r"|hoy|mañana|lunes|martes|miércoles|jueves|viernes|sábado|domingo|semana|días?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    r"|heute|morgen|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|woche|tagen?"
    r"|aujourd'hui|demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|semaine|jours?"
    r"|hoje|amanhã|segunda|terça|quarta|quinta|sexta|dias?|oggi|domani|luned[iì]|marted[iì]|mercoled[iì]|gioved[iì]|venerd[iì]|giorni)\b",
    re.IGNORECASE,
)
_DATE_LANGUAGES = frozenset({"en", "es", "de", "fr", "pt", "it"})
_WEEKDAYS = {
    day: number
    for names in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "lunes martes miércoles jueves viernes sábado domingo",
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    )
    for number, day in enumerate(names.split())
}
_NEXT_WEEKDAY = re.compile(rf"\b({'|'.join(_WEEKDAYS)})\b", re.IGNORECASE)
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    "|januar|februar|märz|mai|juni|juli|oktober|dezember"
    "|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre"
    "|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro"
    "|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
)
_DAY_OF_MONTH = re.compile(
    rf"\b(?:{_MONTHS})\s+(?:the )?\d{{1,2}}\b|\b(?:{_MONTHS})\s+\d{{1,2}}(?:st|nd|rd|th)\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.|er|º|°)?\s+(?:of |de |di )?(?:{_MONTHS})\b",
    re.IGNORECASE,
)
# Words for days that name none: a month without a day ("it may take", "your March bill"), ordinals
# ("segunda via", a copy of a bill), greetings, times of the day.
_NO_DATES = re.compile(
    rf"(?<!\d )(?<!\d\. )(?<!\dth )(?<!\dst )(?<!\dnd )(?<!\drd )(?<!\dth of )(?<!\dst of )(?<!\dnd of )(?<!\drd of )(?<!\d de )(?<!\d di )\b(?:{_MONTHS})\b(?!\s+(?:the )?\d)"
    r"|\b(?:segunda|terça|quarta|quinta|sexta) (?:via|vez|parte|linha|opção|tentativa)\b"
    r"|\bguten morgen\b|\bam morgen\b|\bpor la mañana\b|\bde la mañana\b|\besta mañana\b",
    re.IGNORECASE,
)
_DAY_AFTER_TOMORROW = re.compile(
    r"\b(?:day after tomorrow|pasado mañana|übermorgen|après-demain|depois de amanhã|dopodomani)\b",
    re.IGNORECASE,
)
_AMOUNTS = {
    word: number
    for words in (
        "one two three four five six seven eight nine ten",
        "una dos tres cuatro cinco seis siete ocho nueve diez",
        "einer zwei drei vier fünf sechs sieben acht neun zehn",
        "une deux trois quatre cinq six sept huit neuf dix",
        "uma duas três quatro cinco seis sete oito nove dez",
        "una due tre quattro cinque sei sette otto nove dieci",
    )
    for number, word in enumerate(words.split(), start=1)
} | {"a": 1, "un": 1, "einem": 1, "dois": 2}
_WEEK = ("week", "semana", "woche", "semaine", "settiman")
_AHEAD = re.compile(
    rf"\b(?:in|within|en|innerhalb von|dans|em|entro|tra|fra)\s+(?:the next |las próximas |los próximos |les )?({'|'.join(_AMOUNTS)}|\d{{1,3}})\s+"
    r"(days?|weeks?|días?|semanas?|tagen?|wochen?|jours?|semaines?|dias?|giorn[oi]|settiman[ae])\b",
    re.IGNORECASE,
)


_THIS_DAY = re.compile(
    r"\bthis (?:morning|afternoon|evening)\b|\besta (?:tarde|noche|noite)\b"
    r"|\bcet après-midi\b|\bce soir\b|\bquesta (?:sera|mattina)\b|\bstasera\b",
    re.IGNORECASE,
)
_ORDINALS = (
    {
        word: f"{number}th"
        for number, word in enumerate(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
            start=1,
        )
    }
    | {
        f"{tens} {word}": f"{number}th"
        for tens, words, start in (
            ("twenty", "first second third fourth fifth sixth seventh eighth ninth", 21),
            ("thirty", "first", 31),
        )
        for number, word in enumerate(words.split(), start=start)
    }
    | {"thirtieth": "30th"}
)
# "The third of April", never "the third letter".
_SPOKEN_DAY = re.compile(
    rf"\b({'|'.join(sorted(_ORDINALS, key=len, reverse=True))})(?= of (?:{_MONTHS})\b)",
    re.IGNORECASE,
)


def due_date(text: str, language: str, today: datetime.date) -> datetime.date | None:
    """The day ``text`` names, resolved against the day of the call; None if it names none."""
    if language == "en":
        text = re.sub(r"-(?=\w)", " ", text)
        text = _SPOKEN_DAY.sub(lambda match: _ORDINALS[match.group(1).lower()], text)
    text = _NO_DATES.sub(" ", text)
    if language not in _DATE_LANGUAGES:
        return None
    if _DAY_AFTER_TOMORROW.search(text):
        return today + datetime.timedelta(days=2)
    ahead_words = _AHEAD.search(text)
    if ahead_words:
        amount = _AMOUNTS.get(ahead_words.group(1).lower()) or int(ahead_words.group(1))
        days = amount * (7 if ahead_words.group(2).lower().startswith(_WEEK) else 1)
        return today + datetime.timedelta(days=days)
    if not _DAY_WORDS.search(text):
        return today if _THIS_DAY.search(text) else None
    weekday = _NEXT_WEEKDAY.search(text)
    if weekday and not _DAY_OF_MONTH.search(text):
        # "by Friday" said on a Friday means the next Friday
        ahead = (_WEEKDAYS[weekday.group(1).lower()] - today.weekday() - 1) % 7 + 1
        return today + datetime.timedelta(days=ahead)
    text = _NEXT_WEEKDAY.sub(" ", text)  # the day of the month says it
    base = datetime.datetime.combine(today, datetime.time(12))
    found = search_dates(
        text.lower(),
        languages=[language],
        settings={"RELATIVE_BASE": base, "PREFER_DATES_FROM": "future"},
    )
    for words, moment in found or []:
        if _DAY_WORDS.search(words) and moment.date() >= today:
            day: datetime.date = moment.date()
            return day
    return None
