"""Topics: the reasons for the call, then multilingual keyphrases (YAKE, Campos et al., 2020)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yake

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.call_reasons import find_reasons
from analysis_app.engines.local.courtesies import joined, without_courtesies
from analysis_app.engines.local.redaction import HIDDEN, Secrets

MOST = 8
GREETING_WORDS = 12  # at most, of a first turn that does no more than greet
WORDS_READ = 8_000  # an eight-hour call has more words, but no more topics

COURTESIES = frozenset(
    # Words that occur in every call and are never its topic.
    "thank thanks hello okay yes yeah please sir madam moment call calling today help speaking name "
    "good morning afternoon evening day bye goodbye sorry sure right perfect great gracias hola "
    "favor señor señora buenos buenas días tardes noches ayuda llamar llamada danke hallo bitte guten tag "
    "herr frau merci bonjour madame monsieur plaît aide appel obrigado obrigada olá grazie pronto "
    "buongiorno minute second thing things way time people something anything question problem issue "
    "information customer agent number speak arrive back call called want need know send sent give "
    "today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday week weeks "
    "days hour hours month months year march april june july august september october november "
    "december january february one two three four five six seven eight nine ten eleven twelve "
    "thirty forty fifty hundred lunes martes miércoles jueves viernes sábado domingo semana hoy "
    "mañana montag dienstag mittwoch donnerstag freitag heute morgen lundi mardi mercredi jeudi "
    "vendredi demain semaine got still really said told can could would should will hear".split()
)
NOT_TOPICS = COURTESIES | frozenset(
    # Backchannels, words of identification, and verbs that a phrase would only begin or end with.
    "alright hmm mhm umm yep nope uhm amount password pin maiden birth code verify identity confirm "
    "digits zero name address secret left asked arrived came went took gave ordered received "
    "bought tried wanted needed waited promised happened number okey "
    "oui alors heures nom matin soir bonne journée passera buonasera sera grazie nome arriva abend link schicken "
    "amanhã peço desculpa vou verificar pois hora noche tarde hay lo siento".split()
)


def snake_case(phrase: str) -> str:
    """``Order status`` → ``order_status``; accents stay, punctuation goes."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", phrase).lower())
    return "_".join(words)


def _stem(word: str) -> str:
    """Enough to count "orders" with "order": cuts common plural endings of the languages read."""
    for ending in ("ies", "es", "s", "en", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _after_opening(call: Call) -> Sequence[Turn]:
    """Without the agent's greeting, which names the company."""
    if len(call.turns) < 2 or call.turns[0].speaker != "agent":
        return call.turns
    text = call.turns[0].text
    is_greeting = without_courtesies(text) != text or len(text.split()) <= GREETING_WORDS
    return call.turns[1:] if is_greeting else call.turns


def _texts_by_language(call: Call) -> dict[str, str]:
    """All turns readable in English as one text, and one text per other language.

    Turns are separate sentences of it, so that no phrase spans two of them.
    """
    secrets = Secrets(call)
    texts: dict[str, list[str]] = {}
    for turn in _after_opening(call):
        english = call.text_in(turn, "en")
        language, text = ("en", english) if english else (base_language(turn.language), turn.text)
        texts.setdefault(language, []).append(HIDDEN.sub(". ", secrets.hide(text)))
    return {
        language: " ".join(joined(parts).split()[:WORDS_READ]) for language, parts in texts.items()
    }


def find_topics(call: Call) -> list[dict[str, Any]]:
    """The call's reasons, then phrases that are repeated: at most eight, best first.

    ``[{"name": "order_status", "confidence": 0.95}]``
    """
    reasons = find_reasons(call)
    known = {_stem(word) for name, _ in reasons for word in name.split("_")}
    least = min((confidence for _, confidence in reasons), default=1.0)
    phrases = [
        {"name": topic["name"], "confidence": round(topic["confidence"] * least, 2)}
        for topic in _phrases(call, only_repeated=bool(reasons))
        if not known.intersection(_stem(word) for word in topic["name"].split("_"))
    ]
    return [
        *({"name": name, "confidence": confidence} for name, confidence in reasons),
        *phrases[: MOST - len(reasons)],
    ]


def _phrases(call: Call, *, only_repeated: bool) -> list[dict[str, Any]]:
    candidates: dict[str, tuple[str, float]] = {}
    for language, text in _texts_by_language(call).items():
        counts = Counter(_stem(word) for word in re.findall(r"\w+", text.lower()))
        extractor = yake.KeywordExtractor(lan=language, n=2, top=40, dedupLim=0.8)
        for phrase, score in extractor.extract_keywords(text):
            words = phrase.lower().split()
            if len(set(words)) < len(words) or any(
                word in NOT_TOPICS or len(word) < 3 or not word.isalpha() for word in words
            ):
                continue
            # In YAKE lower is better. A word said once scores well in a short text, so repeated
            # words are weighted more.
            repeats = min(counts[_stem(word)] for word in words)
            if repeats < 2 and (len(words) == 1 or only_repeated):
                continue
            strength = (1 + repeats) / (1 + 12 * float(score))
            key = "_".join(_stem(word) for word in words)
            if key not in candidates or candidates[key][1] < strength:
                candidates[key] = (phrase, strength)
    return _ranked(candidates)


def _ranked(candidates: dict[str, tuple[str, float]]) -> list[dict[str, Any]]:
    ordered = sorted(candidates.items(), key=lambda item: (-item[1][1], item[0]))
    chosen: list[tuple[str, str, float]] = []
    for key, (phrase, strength) in ordered:
        words = set(key.split("_"))
        if any(words & set(other.split("_")) for other, _, _ in chosen):
            continue
        chosen.append((key, phrase, strength))
        if len(chosen) == MOST:
            break
    if not chosen:
        return []
    top = chosen[0][2]
    return [
        {"name": snake_case(phrase), "confidence": round(0.35 + 0.6 * strength / top, 2)}
        for _, phrase, strength in chosen
    ]
