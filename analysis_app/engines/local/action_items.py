"""Action items: commitments ("I'll send you…") and requests ("could you call me back…")."""

import datetime
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dateparser.search import search_dates
from rapidfuzz import fuzz

from analysis_app.engines.base import Call, Turn
from analysis_app.engines.local.compliance import normalized
from analysis_app.engines.local.cues import readings
from analysis_app.engines.local.redaction import Secrets

Patterns = Mapping[str, tuple[str, ...]]
Kind = Literal["commitment", "request", "reminder"]

# No action items: things done during the call or not at all (hold, help, ask, thank…).
_IDLE = r"(?!(?:just |also |be |like |love |need |have |want |to )*(?:check(?: (?:that|on that|it))?(?: for you)?(?: now)?$|help|ask|say|see|know|think|hold|wait|speak|tell me|glad|happy|able|sorry|honest|pull|look(?: that| it)? up|get that sorted|put you|transfer|thank|take that|try|hear|assist|explain|repeat|spell|listen|bring (?:that|it) up|understand|do (?:that|it)\b|let you go|be (?:right|with)|guess|hope|appreciate))"

COMMITMENT: Patterns = {
    "en": (
        rf"\b(?:i|we)(?:'ll| will| shall| am going to|'m going to| are going to|'re going to)\s+(?:then |also |make sure to |go ahead and |personally )?{_IDLE}(\w.+)",
        r"\b(?:i|we) (?:promise|commit) to (.+)",
        r"\b(?:someone|a colleague|a technician|our \w+ team|my \w+|the \w+ team) (?:will|is going to) (.+)",
    ),
    "es": (
        r"\b((?:le|les|te|lo|la|se lo) (?:enviaré|mandaré|llamaré|llamaremos|enviaremos|confirmaré|devolveré|avisaré|avisaremos|envío|mando|llamo|reembolsaremos|haré llegar)\b.*)",
        r"\bvoy a ((?:enviar|mandar|llamar|devolver|abrir|solicitar|revisar|escribir|tramitar|programar)\w*\b.*)",
        r"\b((?:enviaré|mandaré|llamaré|pagaré|devolveré|traeré|abriré)\b.*)",
    ),
    "de": (
        r"\bich (?:werde|schicke|sende|rufe|melde|überweise|bestelle|buche|veranlasse|leite)\b(.+)",
        r"\bwir (?:werden|schicken|senden|rufen|melden|erstatten|überweisen)\b(.+)",
        r"\b(?:schicke|sende|rufe|melde|überweise) ich\b(.+)",
    ),
    "fr": (
        r"\bje (?:vais |vous |te )*((?:envoyer|rappeler|envoie|enverrai|rappelle|rappellerai|rembourser|transmettre|transmets|payer|paierai|confirmer|confirmerai)\b.*)",
        r"\bnous (?:allons |vous )*((?:envoyer|rappeler|enverrons|rappellerons|rembourser|rembourserons)\b.*)",
    ),
    "pt": (r"\b(?:vou|vamos) ((?:enviar|mandar|ligar|devolver|abrir|reembolsar)\b.*)",),
    "it": (r"\b((?:le|vi|ti) (?:invierò|manderò|invio|mando|richiamo|richiamerò)\b.*)",),
}

REQUEST: Patterns = {
    "en": (
        r"\b(?:could|can|would|will) you (?:please |also |just |maybe )*((?:send|call|email|mail|text|ring|cancel|change|update|refund|book|schedule|forward|arrange|return|fix|replace|ship|open|close|check with|ask|tell|confirm by|make sure|write|pay|issue|resend|contact|let me know|sign|deliver|repair|remove|add|set up|credit|extend|prepare|upload|reset|reply|submit|fill)\b.+)",
        r"\bplease (?:also |do |just )*((?:send|call|email|mail|text|cancel|change|update|refund|book|schedule|forward|arrange|return|replace|pay|sign|bring|fill|upload|reply|contact|make sure|let (?:me|us) know)\b.+)",
        r"\bi(?:'d like| would like| want| need) you to (.+)",
    ),
    "es": (
        r"\b(?:puede|podría|puedes|podrías) (?:por favor )?((?:enviarme|mandarme|llamarme|devolverme|enviar|mandar|llamar|cancelar|cambiar|actualizar)\b.*)",
        r"\bpor favor,? ((?:envíe|envíeme|mande|mándeme|llame|llámeme|devuelva|cancele|firme|pague)\w*\b.*)",
    ),
    "de": (
        r"\b(?:können|könnten) sie (?:mir |mich |uns |bitte )*(.*\b(?:schicken|senden|zurückrufen|anrufen|stornieren|ändern|überweisen|erstatten|buchen)\b.*)",
        r"\b((?:schicken|senden|rufen|überweisen|stornieren|unterschreiben) sie (?:mir |mich |uns |bitte )*.+)",
    ),
    "fr": (
        r"\b(?:pouvez|pourriez)-vous (?:s'il vous plaît )?((?:m'envoyer|me rappeler|envoyer|rappeler|annuler|changer|rembourser|me rembourser)\b.*)",
        r"\b((?:envoyez|rappelez|renvoyez|signez|payez)(?:-moi|-nous)?\b.+)",
    ),
    "pt": (
        r"\b(?:pode|poderia) (?:por favor )?((?:me )?(?:enviar|mandar|ligar|cancelar|devolver)\b.*)",
    ),
    "it": (
        r"\b(?:può|potrebbe) (?:per favore )?((?:inviarmi|mandarmi|richiamarmi|inviare|annullare)\b.*)",
    ),
}

REMINDER: Patterns = {
    "en": (
        r"\byou(?:'ll| will)? (?:need|have) to ((?!(?:be|have|hold|wait|tell|give me|understand|speak)\b).+)",
        r"\b(?:you should|don't forget to|remember to|make sure (?:you|to)) ((?!(?:be|have|see|get|receive|know|find)\b).+)",
    ),
}

_URGENT = re.compile(
    r"\b(urgent|urgently|immediately|right away|as soon as possible|asap|today|tonight|straight away|first thing"
    r"|urgente|inmediatamente|hoy|cuanto antes|dringend|sofort|heute|umgehend|tout de suite|aujourd'hui|urgence"
    r"|immédiatement|hoje|imediatamente|oggi|subito)\b",
    re.IGNORECASE,
)
_RELAXED = re.compile(
    r"\b(if (you|i) (can|get)|when you (can|have time)|no rush|whenever|maybe|at some point|if possible|cuando pueda"
    r"|sin prisa|wenn sie zeit haben|quand vous pourrez)\b",
    re.IGNORECASE,
)
_SPECULATIVE = re.compile(
    r"\b(if i (had|were)|i('ll| will) (never|not)|i won't|would have|did you|why (can't|don't) you)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_CLAUSE_END = re.compile(
    r"(?:,? (?:okay|ok|alright|all right|right|thanks|thank you|please|por favor|bitte|merci))*[\s.,!?;:]*$",
    re.IGNORECASE,
)
# What the customer says at once is not left to do: "Tell me your account number".
_ASKS_FOR_DATA = re.compile(
    r"^(?:tell|give|spell|repeat|confirm|provide|verify|let me (?:have|know) (?:your|the))\b.*\b(?:name|number|address|pin|code|password|date|birth|postcode|digits?|e-?mail|amount)\b",
    re.IGNORECASE,
)
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
# Words for days that name none: a month without a day ("it may take", "your March bill"), greetings,
# times of the day.
_NO_DATES = re.compile(
    rf"(?<!\d )(?<!\d\. )(?<!\dth )(?<!\dst )(?<!\dnd )(?<!\drd )(?<!\dth of )(?<!\dst of )(?<!\dnd of )(?<!\drd of )(?<!\d de )(?<!\d di )\b(?:{_MONTHS})\b(?!\s+(?:the )?\d)"
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


@functools.lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def matches(patterns: Patterns, language: str, text: str) -> re.Match[str] | None:
    known = patterns.get(language)
    return _compiled(known).search(text) if known else None


@dataclass(frozen=True, slots=True)
class ActionItem:
    description: str
    assignee: str | None
    due_date: datetime.date | None
    priority: str
    turn: Turn

    def as_result(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "assignee": self.assignee,
            "due_date": self.due_date.isoformat() if self.due_date else None,
            "priority": self.priority,
            "segment_id": self.turn.id,
        }


def due_date(text: str, language: str, today: datetime.date) -> datetime.date | None:
    """The day ``text`` names, resolved against the day of the call; None if it names none."""
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
        return None
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


def _priority(sentence: str, due: datetime.date | None, today: datetime.date) -> str:
    if _URGENT.search(sentence) or (due is not None and (due - today).days <= 1):
        return "high"
    return "low" if _RELAXED.search(sentence) else "medium"


def _other(speaker: str) -> str:
    return "customer" if speaker == "agent" else "agent"


def _addressed(what: str, speaker: str) -> str:
    """English pronouns after the verb as words that stand alone: "send you" → "send the customer"."""

    def name(match: re.Match[str]) -> str:
        verb, pronoun = match.groups()
        party = _other(speaker) if pronoun.lower() == "you" else speaker
        return f"{verb} the {party}"

    return re.sub(r"^(\w+) (you|me|us)\b", name, what, count=1, flags=re.IGNORECASE)


def _describe(what: str) -> str:
    """The clause as an instruction: capital letter, without courtesies at its end."""
    text = " ".join(_CLAUSE_END.sub("", what).split())
    return text[:1].upper() + text[1:240]


def _candidates(language: str, text: str) -> Iterator[tuple[Kind, str, str]]:
    """(kind, what, sentence) of each sentence that requests or promises something."""
    for sentence in _SENTENCE.split(text):
        if _SPECULATIVE.search(sentence):
            continue
        for kind, patterns in (
            ("commitment", COMMITMENT),
            ("request", REQUEST),
            ("reminder", REMINDER),
        ):
            found = matches(patterns, language, sentence)
            if found:
                what = next(group for group in found.groups() if group)
                yield kind, what, sentence  # type: ignore[misc]  # the literal of the table above
                break


def _items(call: Call, turn: Turn, secrets: Secrets) -> Iterator[ActionItem]:
    for language, text in readings(call, turn):
        found = False
        for kind, what, sentence in _candidates(language, text):
            description = secrets.hide(_describe(_addressed(what, turn.speaker)))
            if len(description.split()) < 2 or _ASKS_FOR_DATA.search(description):
                continue
            due = due_date(sentence, language, call.date)
            found = True
            yield ActionItem(
                description=description,
                assignee=turn.speaker if kind == "commitment" else _other(turn.speaker),
                due_date=due,
                priority=_priority(sentence, due, call.date),
                turn=turn,
            )
        if found:
            return


def find_action_items(call: Call) -> list[dict[str, Any]]:
    """In call order. A promise that answers a request is one item, not two."""
    items: list[ActionItem] = []
    secrets = Secrets(call)
    for turn in call.turns:
        for item in _items(call, turn, secrets):
            twin = next(
                (
                    index
                    for index, known in enumerate(items[-6:], start=max(0, len(items) - 6))
                    if known.assignee == item.assignee
                    and fuzz.token_set_ratio(
                        normalized(known.description), normalized(item.description)
                    )
                    >= 72
                ),
                None,
            )
            if twin is None:
                items.append(item)
            elif item.due_date and not items[twin].due_date:
                items[twin] = item
    return [item.as_result() for item in items]
