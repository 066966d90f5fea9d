"""Turn detection: the endpointing delay after the last word, chosen from the words so far.

People pause while they dictate: "my number is … five five five …". Ending the utterance there cuts
numbers, addresses and names apart; waiting that long after every sentence makes the transcript
late. The text so far tells the two apart well enough. The word lists are small and only make the
delay longer: for a language without a list, digits and punctuation decide.
"""

import re
from typing import Final

FINISHED: Final = 0.4
"""Seconds after a finished sentence. Not less: recognizers end every text with a full stop, and
people who read aloud pause nearly that long within a sentence."""

UNKNOWN: Final = 0.5
"""Seconds when the words are not known."""

UNFINISHED: Final = 0.55
"""Seconds after words that could go on: no full stop, a comma, a single number.
Little more than ``UNKNOWN``: such pauses are frequent in ordinary speech."""

CONTINUING: Final = 0.9
"""Seconds after a conjunction, an article, three dots, or the mention of a name, number or address:
more is likely to follow."""

DICTATING: Final = 1.5
"""Seconds in the middle of a number, a spelled name, an address."""

LONGEST: Final = 2.0
"""Seconds; the upper limit of every delay."""

_TERMINAL: Final = tuple(".?!。？！؟।")  # noqa: RUF001 - punctuation of other scripts is meant
_COMPLETE_NUMBER: Final = 10
_COMPLETE_CARD: Final = 15
"""Digits after which a telephone number, or the number of a card or account, may be complete."""

_LONGEST_PLAIN_NUMBER: Final = 5
"""Digits of a number that is written in one piece and ends a sentence, as amounts do. Numbers that
are dictated come in groups, or without a full stop."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JOINING: Final = _words(
    "and or but because so that if when which who with for to of the a an my your our is are "
    "was at in on from um uh er "
    "y o pero porque que si cuando con para de el la los las un una mi su es en "
    "et ou mais parce que qui avec pour le les des une mon ma est dans "
    "und oder aber weil dass wenn mit für von der die das ein eine mein ist im "
    "e ma perché che se con per di il lo una mio è "
    "mas porque com uma meu minha é"
)

_MAY_END: Final = _words("so that when which who with for to of is are was in on from es est ist")
"""Those of ``_JOINING`` that can end a sentence: "come in", "I think so"."""

_NUMBER_WORDS: Final = _words(
    "zero oh one two three four five six seven eight nine ten eleven twelve twenty thirty forty "
    "fifty sixty seventy eighty ninety hundred thousand double triple dash dot slash underscore "
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez "
    "zéro un deux trois quatre cinq sept huit neuf dix "
    "null eins zwei drei vier fünf sechs sieben acht neun zehn "
    "due quattro cinque sei sette otto nove dieci dois quatro sete oito"
)

_ANNOUNCED: Final = re.compile(
    r"\b(?:numbers?|names?|address(?:es)?|e-?mail|codes?|zip|password|account|spell(?:ed|ing)?|"
    r"reference|card|número|nombre|dirección|correo|código|numéro|nom|adresse|nummer|heiße|"
    # A full stop within a word ("example.com") does not end the sentence.
    r"numero|nome|indirizzo|codice|endereço)\b(?:[^.?!]|\.(?=\w))*$",
    re.IGNORECASE,
)
_ANNOUNCED_AND_OPEN: Final = re.compile(
    # Recognizers often write "My addresses" for "My address is".
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
_TOKEN: Final = re.compile(
    # "1,200" and "3.5" are one number.
    r"\d+(?:[.,]\d+)+(?![^\W_])|[^\W_]+(?:['’][^\W_]+)*",  # noqa: RUF001 - an apostrophe
    re.UNICODE,
)


def delay_after(text: str) -> float:
    """The endpointing delay, in seconds, for an utterance whose text so far is ``text``."""
    text = text.rstrip().rstrip("\"'”’»)")  # noqa: RUF001 - closing quotes of several languages
    if not text:
        return UNKNOWN
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    if not tokens:
        return UNFINISHED
    body = text.rstrip("".join(_TERMINAL))
    announced = _ANNOUNCED.search(body)
    trailing_off = text.endswith(("...", "…", "-", "–", "—"))  # noqa: RUF001 - an en dash is meant
    finished = text.endswith(_TERMINAL) and not trailing_off
    dictated = _dictation(tokens, announced.group() if announced else "", finished)
    if dictated is not None:
        return dictated
    if announced and (
        _ANNOUNCED_AND_OPEN.search(body) or _is_address_open(announced.group(), finished)
    ):
        return DICTATING
    # A full stop after "at" comes from the recognizer, which ends every text with one.
    ended = finished and (not text.endswith((".", "。")) or tokens[-1] in _MAY_END)
    joining = tokens[-1] in _JOINING and not ended
    if announced or trailing_off or joining:
        return CONTINUING
    return FINISHED if finished else UNFINISHED


def _is_address_open(announced: str, finished: bool) -> bool:
    """Whether ``announced`` is an address that is not complete.

    An e-mail address with a host ("at example dot com") is complete. A full stop after a street and
    its number comes from the recognizer: the town has not been said yet.
    """
    if not _ADDRESS.search(announced) or _HOST.search(announced):
        return False
    return not finished or bool(_EMAIL_BEGUN.search(announced) or _STREET_BEGUN.search(announced))


def _dictation(tokens: list[str], announced: str, finished: bool) -> float | None:
    """The delay inside a number or a spelled word; None when the text does not end in one.

    ``announced``: the words saying that a number, a name or the like follows; may be empty.
    """
    digits = spelled = 0
    for token in reversed(tokens):
        if _is_number(token):
            digits += sum(map(str.isdigit, token))
        elif token in _NUMBER_WORDS or (spelled and token in _SOUND_LIKE_DIGITS):
            digits += 1
        elif not (len(token) == 1 and token.isalpha()) and not _is_mixed(token):
            break
        spelled += 1
    if not spelled:
        return None
    if digits >= (_COMPLETE_CARD if _CARD.search(announced) else _COMPLETE_NUMBER):
        return UNFINISHED
    if finished and 2 <= digits <= _LONGEST_PLAIN_NUMBER and _is_single_number(tokens):
        # "My favorite number is 268.": a quantity, rarely the first group of a longer number.
        return CONTINUING if announced else UNFINISHED
    if announced or spelled >= 2 or digits >= 5 or _is_mixed(tokens[-1]):
        return DICTATING
    # Ordinary sentences often end in a short number or a letter ("at 5.", "plan B.").
    return UNFINISHED


def _is_single_number(tokens: list[str]) -> bool:
    """Whether the text ends in one number, and not in a group of them or of letters."""
    before = tokens[-2] if len(tokens) > 1 else ""
    spelled = len(before) == 1 and before not in _JOINING
    return _is_number(tokens[-1]) and not (
        spelled or _is_number(before) or before in _NUMBER_WORDS or _is_mixed(before)
    )


def _is_number(token: str) -> bool:
    return token[:1].isdigit() and all(each.isdigit() or each in ".," for each in token)


def _is_mixed(token: str) -> bool:
    """Whether the token has letters and digits, as in a booking code."""
    return any(each.isdigit() for each in token) and any(each.isalpha() for each in token)
