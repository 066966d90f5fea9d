"""Words that show a turn's role in a call, in the languages that the local engine reads itself.

Patterns ignore case and are matched on the words as spoken. A turn in another language is read
in its English translation, if it has one.
"""

import functools
import re
from collections.abc import Mapping

from analysis_app.engines.base import Call, Turn, base_language

Patterns = Mapping[str, tuple[str, ...]]

HOLD: Patterns = {
    "en": (
        r"\b(please )?hold( on)?\b",
        r"\bone (moment|second|sec)\b",
        r"\bjust a (moment|second|minute|sec)\b",
        r"\bbear with me\b",
        r"\bput you (through|on hold)\b",
        r"\bgive me a (moment|second|minute)\b",
        r"\blet me (check|look|pull|see)\b",
    ),
    "es": (
        r"\bun (momento|momentito|segundo|minuto)\b",
        r"\bno cuelgue\b",
        r"\ben espera\b",
        r"\bpermítame\b",
        r"\bespere\b",
        r"\bdéjeme (ver|revisar|comprobar)\b",
    ),
    "de": (
        r"\b(einen )?(moment|augenblick|sekunde)\b",
        r"\bbleiben sie (bitte )?dran\b",
        r"\bin die warteschleife\b",
        r"\bich (schaue|sehe) (mal |kurz )?nach\b",
    ),
    "fr": (
        r"\bun (moment|instant)\b",
        r"\bne quittez pas\b",
        r"\b(une|deux) (secondes?|minutes?)\b",
        r"\bpatient(ez|er)\b",
        r"\bje (vais )?vérifier?\b",
    ),
    "pt": (r"\bum (momento|minuto|segundo|instante)\b", r"\baguard(e|ar)\b", r"\bdeixe-me ver\b"),
    "it": (r"\bun (momento|attimo|secondo|minuto)\b", r"\battend(a|ere)\b", r"\bresti in linea\b"),
}

SARCASM: Patterns = {
    "en": (
        r"\bthank(s| you) for nothing\b",
        r"\b(oh,? )?(great|wonderful|brilliant|perfect|fantastic|lovely),? just (great|wonderful|brilliant|perfect|fantastic|lovely|what i need(ed)?)\b",
        r"\b(oh|well),? (great|wonderful|brilliant|perfect|fantastic|lovely|how nice),? (another|now|so|yet another|more)\b",
        r"\byeah,? right\b",
        r"\ba (big|great|huge|lot of) help (you are|that was|you were)\b",
        r"\bgood for nothing\b",
    ),
    "es": (r"\bgracias por nada\b", r"\bqué maravilla,? otra vez\b"),
    "de": (r"\b(danke|vielen dank) für (gar )?nichts\b", r"\bna (toll|super|wunderbar|prima)\b"),
    "fr": (r"\bmerci pour rien\b", r"\bbravo,? (vraiment|encore)\b"),
    "pt": (r"\bobrigad[oa] por nada\b",),
    "it": (r"\bgrazie (per|di) niente\b", r"\bgrazie mille per niente\b"),
}

RESOLVED: Patterns = {
    "en": (
        r"\b(that|this|it)('s| is| has been)? (all )?(fixed|solved|sorted|resolved|working|done|confirmed)\b",
        r"\b(it|that) works( now)?\b",
        r"\bthat (solves|fixes|answers|helps)\b",
        r"\bproblem (is )?solved\b",
        r"\b(perfect|great|wonderful|excellent|lovely|brilliant)\b.*\b(thank|thanks)\b",
        r"\bthank(s| you)( so much| very much)?\b.*\b(help|perfect|great|wonderful|sorted)\b",
        r"\bthat('s| is) (all|everything)( i needed)?\b",
        r"\byou('re| are) all set\b",
        r"\bi('ve| have) (issued|processed|reset|updated|cancelled|canceled|refunded|booked|changed)\b",
        r"\bhas been (issued|processed|reset|updated|cancelled|canceled|refunded|booked|changed|activated)\b",
    ),
    "es": (
        r"\b(ya )?(está|queda) (todo )?(resuelto|solucionado|listo|arreglado|confirmado|cambiado)\b",
        r"\bya funciona\b",
        r"\b(perfecto|genial|estupendo|excelente|maravilloso)\b.*\bgracias\b",
        r"\bmuchas gracias por (su|tu) ayuda\b",
        r"\beso es todo\b",
        r"\bproblema resuelto\b",
        r"\bhe (procesado|cambiado|actualizado|cancelado|reembolsado)\b",
    ),
    "de": (
        r"\b(ist|hat sich) (jetzt |damit |nun )?(erledigt|gelöst|behoben|geklärt|bestätigt)\b",
        r"\bfunktioniert (jetzt|wieder)\b",
        r"\b(perfekt|super|wunderbar|prima|toll)\b.*\bdank\b",
        r"\bvielen dank für (ihre|die) hilfe\b",
        r"\bdas war('s| es| alles)\b",
        r"\bhabe ich (jetzt )?(storniert|geändert|gebucht|erstattet|aktualisiert)\b",
    ),
    "fr": (
        r"\b(c'est|est) (maintenant )?(réglé|résolu|réparé|confirmé|fait)\b",
        r"\bça (marche|fonctionne)\b",
        r"\b(parfait|super|génial|excellent|formidable)\b.*\bmerci\b",
        r"\bmerci pour votre aide\b",
        r"\bc'est tout\b",
    ),
    "pt": (
        r"\b(está|ficou) (tudo )?(resolvido|pronto|confirmado)\b",
        r"\bfunciona agora\b",
        r"\b(perfeito|ótimo|excelente)\b.*\bobrigad[oa]\b",
        r"\bé só isso\b",
    ),
    "it": (
        r"\bè (tutto )?(risolto|sistemato|confermato|a posto)\b",
        r"\b(ora )?funziona\b",
        r"\b(perfetto|ottimo|benissimo)\b.*\bgrazie\b",
        r"\bè tutto\b",
    ),
}

UNRESOLVED: Patterns = {
    "en": (
        r"\b(still|it) (does not|doesn't|isn't|is not|not) work(ing)?\b",
        r"\bthis is (ridiculous|unacceptable|useless)\b",
        r"\bi('m| am) (going to )?(cancel(l?ing)?|leaving|switching)\b",
        r"\bspeak to (a|your) (manager|supervisor)\b",
        r"\bwaste of (my )?time\b",
        r"\bcan('t|not) help (you|me)( with that)?\b",
        r"\bnothing (more )?(i|we) can do\b",
        r"\bi (want|will|am going) to (complain|file a complaint|sue)\b",
        r"\bforget it\b",
        r"\bnot (happy|satisfied|good enough|solved|resolved)\b",
        r"\b(i'm|i am) hanging up\b",
        r"\bnever (buy|call|order|use)\b.*\bagain\b",
        r"\bno,? (it|that) (didn't|did not|doesn't|does not) (help|work)\b",
    ),
    "es": (
        r"\b(sigue|todavía|aún) (sin|no) funciona(r|ndo)?\b",
        r"\bno (se puede|puedo|podemos) (hacer nada|ayudar)\w*\b",
        r"\bes (inaceptable|ridículo|una vergüenza)\b",
        r"\bquiero (hablar con (un|su)|cancelar|poner una queja|reclamar)\b",
        r"\bpérdida de tiempo\b",
        r"\bolvídelo\b",
        r"\bno (estoy|quedo) (contento|satisfecho|conforme)\b",
    ),
    "de": (
        r"\b(geht|funktioniert) (immer noch|noch immer|weiterhin) nicht\b",
        r"\bunverschämt\b",
        r"\binakzeptabel\b",
        r"\bkann (ich|man) (leider )?nichts (machen|tun)\b",
        r"\bich (kündige|will kündigen|beschwere mich)\b",
        r"\bzeitverschwendung\b",
        r"\bvergessen sie('s| es)\b",
        r"\bvorgesetzten\b",
        r"\bnicht zufrieden\b",
    ),
    "fr": (
        r"\bne (marche|fonctionne) (toujours )?pas\b",
        r"\binacceptable\b",
        r"\bje (vais )?résilie?r?\b",
        r"\bperte de temps\b",
        r"\bparler à (un|votre) (responsable|supérieur)\b",
        r"\bpas (content|satisfait)e?\b",
    ),
    "pt": (
        r"\b(ainda )?não (está )?funciona(ndo)?\b",
        r"\binaceitável\b",
        r"\bquero (cancelar|reclamar)\b",
        r"\bperda de tempo\b",
    ),
    "it": (
        r"\bnon funziona (ancora)?\b",
        r"\binaccettabile\b",
        r"\bvoglio (disdire|reclamare|parlare con)\b",
        r"\bperdita di tempo\b",
    ),
}

FOLLOW_UP: Patterns = {
    "en": (
        r"\b(call|phone|ring|get back to|contact|reach out to|email|write to) (you|me|them)( back)?\b.*\b(tomorrow|today|later|soon|week|monday|tuesday|wednesday|thursday|friday|saturday|sunday|once|when|by|within|after|at)\b",
        r"\b(call|phone|ring) (you|me) back\b",
        r"\bget back to (you|me)\b",
        r"\bfollow(ing)?[- ]up\b",
        r"\bescalat(e|ed|ing)\b",
        r"\btechnician (will|is going to)\b",
        r"\bopen(ed)? a (ticket|case)\b",
        r"\bwithin (the next )?\w+ (hours|days|business days|working days)\b",
        r"\bwill be in touch\b",
        r"\bi('ll| will) (look into|check with|find out)\b",
        r"\bschedul(e|ed) (a|an|the)\b",
    ),
    "es": (
        r"\b(le|te|lo|la|me) (llamo|llamaré|llamaremos|llamarán|devuelvo|devolveré|avisaré|avisaremos|contactaremos|contactaré)\b",
        r"\bllamarle|llamarme\b",
        r"\ben (las próximas )?\w+ (horas|días)\b",
        r"\bescalar|escalado\b",
        r"\babri(r|ré|mos) (un|una) (caso|ticket|incidencia)\b",
        r"\btécnico (irá|pasará|visitará)\b",
        r"\bnos pondremos en contacto\b",
    ),
    "de": (
        r"\b(rufe|rufen) (ich |wir )?(sie|mich|dich)\b.*\b(zurück|an)\b",
        r"\bmelde(n)? (ich|wir) (mich|uns)\b",
        r"\bzurückrufen\b",
        r"\btechniker (kommt|wird)\b",
        r"\b(ticket|fall) (eröffnet|angelegt)\b",
        r"\binnerhalb von\b",
        r"\bich (kläre|prüfe) das\b",
    ),
    "fr": (
        r"\b(vous|me) rappel(le|lerai|lerons|ler|lez)\b",
        r"\brecontact\w+\b",
        r"\bdans les \w+ (heures|jours)\b",
        r"\btechnicien (va|passera|viendra)\b",
        r"\bouvert? un (ticket|dossier)\b",
        r"\btien(s|drai|drons) au courant\b",
    ),
    "pt": (
        r"\b(ligo|ligarei|ligaremos) (de volta|para)\b",
        r"\bretornaremos|retorno\b",
        r"\bem até \w+ (horas|dias)\b",
    ),
    "it": (r"\b(la|ti|mi) richiam\w+\b", r"\bentro \w+ (ore|giorni)\b", r"\bci faremo sentire\b"),
}


@functools.lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def readings(call: Call, turn: Turn) -> list[tuple[str, str]]:
    """(language, text) pairs in which the turn can be read: as spoken, and its translation."""
    pairs = [(base_language(turn.language), turn.text)]
    english = call.text_in(turn, "en")
    if english is not None and pairs[0][0] != "en":
        pairs.append(("en", english))
    return pairs


def matches(patterns: Patterns, language: str, text: str) -> re.Match[str] | None:
    known = patterns.get(base_language(language))
    return _compiled(known).search(text) if known else None


def turn_matches(call: Call, turn: Turn, patterns: Patterns) -> bool:
    return any(matches(patterns, language, text) for language, text in readings(call, turn))


def says_hold(turn: Turn) -> bool:
    """Whether the turn asks the other party to wait."""
    if matches(HOLD, turn.language, turn.text):
        return True
    return bool(turn.translation and matches(HOLD, "en", turn.translation))
