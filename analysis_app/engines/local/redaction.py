"""What no result may repeat: long numbers, names of people, and answers to security questions."""

import re
from collections.abc import Iterator, Set

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.courtesies import split_sentences
from analysis_app.engines.local.introductions import (
    OPENING,
    names_without_capitals,
    stop_words,
)
from analysis_app.engines.local.spoken_numbers import SPOKEN_NUMBER, count_digits

NUMBER, NAME, SECRET = "[number]", "[name]", "[secret]"
HIDDEN = re.compile(r"\[(?:number|name|secret|address)\]")
SHORTEST = 4  # digits of a number that is hidden

_DIGITS = re.compile(r"\b(?:[A-Z]{1,3}[\s-]?)?\d(?:[\s.,\-/]{0,2}\d){3,}\b")
_ADDRESS = re.compile(r"\S+@\S+|\b\S+ at \S+ dot \w+\b", re.IGNORECASE)

# Questions whose answer is a secret or a name; the answer is hidden wherever it is repeated.
_ASKS_SECRET = re.compile(
    r"\b(?:maiden name|pin(?: code| number)?|pass ?(?:word|code|phrase)|security (?:question|answer|word|code)|memorable (?:word|place|date)"
    r"|first (?:pet|school|car)|pet's name|(?:city|town) (?:were )?you (?:were )?born|place of birth|date of birth|cvv|secret (?:word|answer)"
    r"|contraseña|apellido de soltera|clave|geheimzahl|passwort|kennwort|mädchenname\w*|geburtsdatum|mot de passe|nom de jeune fille|date de naissance"
    r"|senha|nome de solteira|data de nascimento|data di nascita|cognome da nubile)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:(?:your|full|first|last|sur|what|which|whose) ?name|what(?:'s| is| was) the name|who am i (?:speaking|talking) (?:to|with)|su nombre|nombre completo|a nombre de quién|qué nombre|cómo se llama|wie heißen sie|welche[nm] namen?|(?:à )?quel nom|a che nome|che nome|que nome|como se chama|ihren? (?:vollständigen? )?namen?|votre nom|seu nome|il suo nome|nome e cognome)\b",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(
    r"\b(?:(?:account|customer|order|card|policy|member|booking|phone|reference|contract|tracking|client)(?: \w+)? (?:number|reference|id|code)|postcode|zip code|e-?mail(?: address)?|your address"
    r"|número de|kundennummer|\w*nummer|numéro de|numero di|código|codice)\b",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"^\W*(?:(?:yes|yeah|sure|okay|ok|of course|um|uh|well|so|sí|ja|oui|sim|certo)\b[\s,.]*)*"
    r"(?:(?:it's|it is|that's|that is|that would be|the \w+ is|my [\w' ]{2,30}? (?:is|was)|i'm|i am|es|ist|c'est|é|è|mi \w+ es|mein \w+ ist|(?:au|a) no(?:m|me|mbre) (?:de|di)|auf den namen|de|di|under)\s+)?(.+)",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"\b(?:maiden name|pin(?: code| number)?|password|passcode|memorable word|contraseña|clave|passwort|kennwort|geheimzahl|mot de passe|senha)\s+(?:is|was|es|ist|lautet|est|é|è)\s+((?:\w+[\s-]?){1,2})",
    re.IGNORECASE,
)
_INTRODUCED = re.compile(
    r"\b(?:my name(?: is|'s)|mi nombre es|me llamo|mein name ist|ich heiße|je m'appelle|mon nom est|meu nome é|me chamo|chamo-me|mi chiamo)\s+(\w[\w'-]*(?:\s+\w[\w'-]*){0,2})"
    r"|\b(?:this is|i'm|i am|hier (?:ist|spricht)|soy|habla|sono|aqui é|ici)\s+((?-i:[A-ZÀ-Þ])[\w'-]+(?:\s+(?-i:[A-ZÀ-Þ])[\w'-]+){0,2})"
    r"|\b(?:mr|mrs|ms|miss|dr|herr|frau|madame|monsieur|señora?|senhora?|signora?)\.?\s+((?-i:[A-ZÀ-Þ])[\w'-]+(?:\s+(?-i:[A-ZÀ-Þ])[\w'-]+)?)"
    r"|\b(?:le atiende|habla con|you(?:'re| are) (?:speaking|through) (?:to|with)|sie sprechen mit|fala (?:a|o)|vous parlez (?:à|avec)|parla con)\s+((?-i:[A-ZÀ-Þ])[\w'-]+(?:\s+(?-i:[A-ZÀ-Þ])[\w'-]+)?)"
    r"|(?<![\w'])((?-i:[A-ZÀ-Þ])[\w'-]+),?\s+(?:speaking|here|à votre écoute|à l'appareil|am apparat|al habla|bonjour|bonsoir)\b",
    re.IGNORECASE,
)
# "Hello, Ann." A call that the agent opens with "Hello, City Bank." names a company.
_GREETED = re.compile(
    r"\b(?:hi|hello|hey|good (?:morning|afternoon|evening)|hola|buenos días|buenas (?:tardes|noches)|hallo|guten (?:tag|morgen|abend)|bonjour|bonsoir|olá|bom dia|boa (?:tarde|noite)|ciao|salve|buongiorno|buonasera|thank you|thanks|gracias|danke|merci),?\s+((?-i:[A-ZÀ-Þ])[\w'-]+(?:\s+(?-i:[A-ZÀ-Þ])[\w'-]+)?)(?=\s*[.,!?])",
    re.IGNORECASE,
)
# Words that end a name or an answer, or that are too common to be hidden everywhere.
_COMMON = frozenset(
    "i i'm i'd i've a an the my your his her our it it's is was and or but so to of for from in on at with by as be am are "
    "calling call speaking here please thank thanks you yes no not that this there what who how when where why can could would "
    "want need have had has do did does don't know sure okay ok right well just like would will about because name mother's "
    "quiero quisiera quería necesito compré llamo perdí voudrais veux j'ai vorrei volevo chiamo queria gostaria preciso weiß wieso warum "
    "y e und et ich je yo me mi mein meine quiero und von de la el los las le les un una der die das que con por para "
    "entschuldigung verzeihung disculpe perdone perdón excusez pardon scusi mi senta desculpe "
    "sir madam ma'am there again all so much everyone today account card number order help everything bye".split()
)


def _words(text: str, common: Set[str]) -> Iterator[str]:
    """The first words of an answer or a name: at most three, up to the first common word."""
    for count, match in enumerate(re.finditer(r"[\w'-]+|[,.!?;]", text)):
        word = match.group().lower().removesuffix("'s")
        if count == 3 or word in _COMMON or word in common or not word[:1].isalpha():
            return
        yield word


def _readings(call: Call, turn: Turn) -> Iterator[tuple[str, str]]:
    """(language, text): as spoken, and the translation into whatever language."""
    yield base_language(turn.language), turn.text
    if turn.translation:
        yield call.translated_to(turn) or "", turn.translation


class Secrets:
    """The secrets of one call, found once, and hidden in any text of it by ``hide``."""

    def __init__(self, call: Call) -> None:
        self._hidden: dict[str, str] = {}
        asked: str | None = None  # what the agent has just asked for
        for position, turn in enumerate(call.turns):
            for language, text in _readings(call, turn):
                common = stop_words(language)
                self._learn(text, common)
                if position or turn.speaker == "customer":
                    for match in _GREETED.finditer(text):
                        self._add(match.group(1), NAME)
                if position < OPENING:
                    for name in names_without_capitals(text, language):
                        self._add(name, NAME)
                if turn.speaker == "customer" and asked:
                    answer = _ANSWER.match(split_sentences(text)[0]) if text.strip() else None
                    self._add(answer.group(1) if answer else "", asked, common)
            asked = _asked(turn) if turn.speaker == "agent" else None
        words = sorted(self._hidden, key=len, reverse=True)
        self._pattern = (
            re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
            if words
            else None
        )

    def _learn(self, text: str, common: Set[str]) -> None:
        for match in _INTRODUCED.finditer(text):
            name = next(group for group in match.groups() if group)
            # Without capitals, only common words show where a name ends.
            self._add(name, NAME, common if name == name.lower() else frozenset())
        for match in _STATED.finditer(text):
            self._add(match.group(1), SECRET, common)

    def _add(self, text: str, mark: str, common: Set[str] = frozenset()) -> None:
        for word in _words(text, common):
            if len(word) > 1:
                self._hidden.setdefault(word, mark)

    def hide(self, text: str) -> str:
        """The text with "[number]", "[name]" and "[secret]" in place of what they stand for."""
        text = _DIGITS.sub(NUMBER, _ADDRESS.sub("[address]", text))
        text = SPOKEN_NUMBER.sub(
            lambda match: NUMBER if count_digits(match.group()) >= SHORTEST else match.group(),
            text,
        )
        if self._pattern is not None:
            # Without case, the Turkish dotless i matches "i", but stays what it is in lower case.
            text = self._pattern.sub(
                lambda match: self._hidden.get(match.group().lower(), NAME), text
            )
        return re.sub(r"(\[\w+\])(?:[\s,.-]+\1)+", r"\1", text)

    def holds(self, text: str) -> bool:
        return self.hide(text) != text


def is_mostly_hidden(text: str) -> bool:
    """Whether little is left to read: for example "My PIN is [number]"."""
    return "[" in text and len(text.split()) < 8


def asks_for_secret(turn: Turn) -> bool:
    """Whether the turn asks for a name, a number that identifies somebody, or a secret."""
    return _asked(turn) is not None or any(
        _ASKS_NUMBER.search(text) for text in filter(None, (turn.text, turn.translation))
    )


def _asked(turn: Turn) -> str | None:
    for text in filter(None, (turn.text, turn.translation)):
        if _ASKS_SECRET.search(text):
            return SECRET
        if _ASKS_NAME.search(text):
            return NAME
    return None
