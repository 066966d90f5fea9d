"""Names in a transcript without capitals: "hi this is kyle i bought a kettle"."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import yake

from analysis_app.engines.local.lexicons import LEXICONS, SERVICE_WORDS

OPENING = 6  # turns in which somebody says who they are

_START = (
    r"(?:^|\b(?:hi|hello|hey|hola|hallo|bonjour|olá|ciao|good morning|días|tardes|noches|tag|morgen|buongiorno|buonasera|bom dia|tarde|noite) [\w'-]+ |\b(?:hi|hello|hey|yes|yeah|morning|afternoon|evening|uh|um|hallo|tag|morgen|abend|ja|allô|bonjour|bonsoir|moi|oui"
    r"|hola|días|tardes|noches|sí|pronto|buongiorno|buonasera|salve|sì|olá|bom dia|tarde|noite|sim|daqui)\W+)"
)
# By language: words that a name follows, with what comes after it. "I'm" is followed by names less
# often than "this is", so that only a sentence about oneself shows that it was one.
_SHOWN: dict[str, tuple[str, str, str, str]] = {
    "en": (
        "this is|you're (?:speaking|through) (?:to|with)|you are speaking (?:to|with)",
        "i'm|i am|it's",
        r"(?:and )?(?:i|i'\w+|my|we|we'\w+|our)|um|uh",
        "from|calling|speaking|here|how|what|can|could",
    ),
    "de": (
        "hier ist|hier spricht|sie sprechen mit",
        "ich bin",
        r"(?:und )?(?:ich|meine?[rnm]?|wir|uns\w*)|äh|ähm|am apparat",
        "von|vom|aus|was|wie",
    ),
    "fr": (
        "ici|c'est|vous parlez (?:à|avec)",
        "je suis",
        r"(?:et )?(?:je|j'\w+|mon|ma|mes|on|nous|notre)|euh|à l'appareil",
        "de|du|comment|que|vous",
    ),
    "es": (
        "habla(?: con)?|le atiende|de parte de",
        "soy",
        "(?:y )?(?:me|mi|mis|tengo|quiero|quería|quisiera|necesito|he|llamo|llamaba|estoy|compré|perdí|recibí|no|de)",
        "de|del|desde|qué|cómo|en",
    ),
    "it": (
        "qui è|parla(?: con)?",
        "sono",
        "(?:e )?(?:(?:la|il|le|i) mi[aoe]i?|ho|mi|vorrei|volevo|chiamo|abbiamo|non (?:riesco|posso|ho))|come posso",
        "di|del|della|dal|dalla",
    ),
    "pt": (
        "aqui é|fala|quem fala é",
        "sou|é",
        "(?:e )?(?:(?:a|o|as|os) (?:minha|meu)s?|tenho|queria|quero|gostaria|preciso|ligo|recebi|comprei|perdi|não)",
        "do|da|de|em que",
    ),
}
_TITLE = r"(?:herr|frau|señora?|signora?|senhora?|madame|monsieur|mrs?|ms|miss|dr) "
_TITLES = rf"(?:the |der |die |el |la |il |o |a |{_TITLE})*"
# What people say of themselves that is no name.
_ROLES = frozenset(
    "customer client cliente kunde kundin abonné abonnée assinante suscriptor socio socia abbonato abbonata member "
    "urgent urgente dringend new neu regarding calling just back still locked "
    "vecino vecina dueño dueña titular hijo hija madre padre amigo amiga usuario usuaria utente utilisateur mieter mieterin locataire inquilino inquilina bloccato bloccata".split()
)
_AFTER_TITLE = re.compile(
    r"(?<!meine )(?<!die )(?<!eine )(?<!ihre )(?<!seine )\b(?:mrs?|ms|dr|herr|frau)\.?\s+([\w'-]+)"
)


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """The most common words of a language, from YAKE's lists; empty for one that is not read here."""
    if language not in _SHOWN:
        return frozenset()
    name = f"stopwords_{language}.txt"
    path = Path(yake.__file__).parent / "core" / "StopwordsList" / name
    return frozenset(path.read_text("utf-8-sig").lower().split()) - {"ernst", "dan"}  # names


@functools.cache
def _pattern(language: str) -> re.Pattern[str]:
    strong, weak, after, after_strong = _SHOWN[language]
    name = r"([\w'-]+(?: [\w'-]+)??)"
    return re.compile(
        rf"{_START}(?:(?:and|und|et|y|e|eu) )?(?:"
        rf"(?:{strong}|{weak}) (?:(?:la|el|il|a|o|die|der) )?{_TITLE}([\w'-]+)"
        rf"|(?:{strong}) {_TITLES}{name}(?=[\s,]+(?:{after}|{after_strong})(?!\w)|\W*$)"
        rf"|(?:{weak}) {_TITLES}{name}(?=[\s,]+(?:{after})(?!\w)))"
    )


def _is_name(word: str, language: str) -> bool:
    moods = {**LEXICONS.get(language, {}), **SERVICE_WORDS}
    is_verb = language == "en" and word.endswith("ing")
    return not (
        is_verb or word in stop_words(language) or word in _ROLES or moods.get(word, 0.0) < 0
    )


def names_without_capitals(text: str, language: str) -> Iterator[str]:
    """The names, of one or two words, in the text of a turn that opens a call."""
    if text != text.lower() or language not in _SHOWN:
        return
    for match in _pattern(language).finditer(text):
        words = next(group for group in match.groups() if group).split()
        if all(_is_name(word, language) for word in words):
            yield " ".join(words)
    for match in _AFTER_TITLE.finditer(text):
        if _is_name(match.group(1), language):
            yield match.group(1)
