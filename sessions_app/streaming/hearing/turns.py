"""How long to wait after the last word, judged from the words so far.

People pause in the middle of what they spell out: "my number is … five five five …". Cutting
there tears numbers, addresses and names apart; waiting that long after every sentence makes the
transcript late. The text heard so far tells the two apart well enough. Word lists are small and
only make the wait longer: a language that is not listed is judged by digits and punctuation.
"""

import re
from typing import Final

FINISHED: Final = 0.4
"""Seconds to wait after a finished sentence. Not less: recognizers put a full stop after whatever
they are given, and readers pause that long within a sentence."""

UNKNOWN: Final = 0.5
"""Seconds to wait when nothing is known of the words (plain endpointing)."""

UNFINISHED: Final = 0.55
"""Seconds to wait after words that could go on: no full stop, a comma, a lone number.
Little more than the plain wait: read-out text and real talk are full of such pauses."""

CONTINUING: Final = 0.9
"""Seconds to wait after a conjunction, an article, three dots, or the mention of a name, number
or address: something more is likely to come."""

DICTATING: Final = 1.5
"""Seconds to wait in the middle of a number, a spelled name, an address."""

LONGEST: Final = 2.0
"""No wait is longer than this."""

_TERMINAL: Final = tuple(".?!。？！؟।")  # noqa: RUF001 - punctuation of other scripts is meant
_COMPLETE_NUMBER: Final = 10
_COMPLETE_CARD: Final = 15
"""Digits after which a telephone number, or the number of a card or account, may be complete."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JOINING: Final = _words(
    "and or but because so that if when which who with for to of the a an my your our is are "
    "was at in on from um uh er "
    "y o pero porque que si cuando con para de el la los las un una mi su es en "
    "et ou mais parce que qui avec pour le les des une mon ma est dans "
    "und oder aber weil dass wenn mit für von der die das ein eine mein ist im "
    "e ma perché che se con per di il lo una mio è "
    "mas porque com uma meu minha"
)

_MAY_END: Final = _words("so that when which who with for to of is are was in on from es est ist")
"""Of these, what may well end a sentence: "come in", "I think so"."""

_NUMBER_WORDS: Final = _words(
    "zero oh one two three four five six seven eight nine ten eleven twelve twenty thirty forty "
    "fifty sixty seventy eighty ninety hundred thousand double triple dash dot slash underscore "
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez "
    "zéro un deux trois quatre cinq sept huit neuf dix "
    "null eins zwei drei vier fünf sechs sieben acht neun zehn "
    "due quattro cinque sei sette otto nove dieci dois quatro sete oito"
)

_TOLD: Final = re.compile(
    r"\b(?:numbers?|names?|address(?:es)?|e-?mail|codes?|zip|password|account|spell(?:ed|ing)?|"
    r"reference|card|número|nombre|dirección|correo|código|numéro|nom|adresse|nummer|heiße|"
    # A full stop within a word ("example.com") does not end the sentence.
    r"numero|nome|indirizzo|codice|endereço)\b(?:[^.?!]|\.(?=\w))*$",
    re.IGNORECASE,
)
_TOLD_AND_OPEN: Final = re.compile(
    # "My address is" is often heard as "My addresses".
    r"(?:\b(?:is|it's|its|are|at|es|est|ist|lautet|è|é|addresses|names|numbers|codes)|:)\W*$",
    re.IGNORECASE,
)
_CARD: Final = re.compile(r"\b(?:card|account|iban|tarjeta|cuenta|carte|compte|karte|konto)", re.I)
_ADDRESS: Final = re.compile(r"address|e-?mail|dirección|correo|adresse|indirizzo|endereço", re.I)
_HOST: Final = re.compile(r"(?:@|\bat\b).*(?:\.|\bdot\b)\s*[a-z]{2,}\W*$", re.IGNORECASE)
_EMAIL_BEGUN: Final = re.compile(r"e-?mail.*(?:\bdot\b|\w[._]\w|@|\bat\b)", re.IGNORECASE)
_STREET_BEGUN: Final = re.compile(
    r"\b(?:address(?:es)?|dirección|adresse|indirizzo|endereço)(?: (?:is|es|est|ist|è|é))? "
    r"(?:\d[\d.,]*)(?: [^\d,]+)?$",
    re.IGNORECASE,
)
_SOUND_LIKE_DIGITS: Final = _words("to too for ate won o")
_TOKEN: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)  # noqa: RUF001 - an apostrophe


def patience_after(text: str) -> float:
    """Seconds of silence that should end an utterance which so far reads ``text``."""
    text = text.rstrip().rstrip("\"'”’»)")  # noqa: RUF001 - closing quotes of several languages
    if not text:
        return UNKNOWN
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    if not tokens:
        return UNFINISHED
    body = text.rstrip("".join(_TERMINAL))
    told = _TOLD.search(body)
    dictated = _dictation(tokens, told.group() if told else "")
    if dictated is not None:
        return dictated
    trailing_off = text.endswith(("...", "…", "-", "–", "—"))  # noqa: RUF001 - an en dash is meant
    finished = text.endswith(_TERMINAL) and not trailing_off
    if told and (_TOLD_AND_OPEN.search(body) or _is_address_open(told.group(), finished)):
        return DICTATING
    # A full stop after "at" is the recognizer's, who puts one after whatever it is given.
    ended = finished and (not text.endswith((".", "。")) or tokens[-1] in _MAY_END)
    joining = tokens[-1] in _JOINING and not ended
    if told or trailing_off or joining:
        return CONTINUING
    return FINISHED if finished else UNFINISHED


def _is_address_open(told: str, finished: bool) -> bool:
    """Whether ``told`` is an address under way; one with a host (``at example dot com``) is not.

    A full stop behind a street and its number is the recognizer's: the town is still to come.
    """
    if not _ADDRESS.search(told) or _HOST.search(told):
        return False
    return not finished or bool(_EMAIL_BEGUN.search(told) or _STREET_BEGUN.search(told))


def _dictation(tokens: list[str], told: str) -> float | None:
    """The wait inside a number or a spelled word; None when the text does not end in one.

    ``told``: the words that say that a number, name or the like follows; empty when none do.
    """
    digits = spelled = 0
    for token in reversed(tokens):
        if token.isdigit():
            digits += len(token)
        elif token in _NUMBER_WORDS or (spelled and token in _SOUND_LIKE_DIGITS):
            digits += 1
        elif not (len(token) == 1 and token.isalpha()) and not _is_mixed(token):
            break
        spelled += 1
    if not spelled:
        return None
    if digits >= (_COMPLETE_CARD if _CARD.search(told) else _COMPLETE_NUMBER):
        return UNFINISHED
    if told or spelled >= 2 or digits >= 5 or _is_mixed(tokens[-1]):
        return DICTATING
    # One short number or one letter ends many an ordinary sentence ("at 5.", "plan B.").
    return UNFINISHED


def _is_mixed(token: str) -> bool:
    """Letters and digits together, as in a booking code."""
    return any(each.isdigit() for each in token) and any(each.isalpha() for each in token)
