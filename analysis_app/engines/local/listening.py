"""Turns that hold no statement: acknowledgements, sounds, and sentences that break off."""

import re

from analysis_app.engines.local.compliance import normalized

_ACKNOWLEDGEMENTS = frozenset(
    normalized(
        "mhm mm mmm hmm hm uh um uhm huh ah oh okay ok k yeah yep yes yup right sure alright all i see got it "
        "great good fine understood exactly thanks thank you no problem of course and so "
        "sí si vale claro bueno ya entiendo de acuerdo gracias aja ajá "
        "ja genau gut klar aha verstehe danke in ordnung "
        "oui d accord bien bon très ouais je vois merci "
        "sim certo tá entendi obrigado obrigada bom está bem "
        "va bene capisco certo grazie perfetto ho capito"
    ).split()
)
_MOST_WORDS = 4
_SOUND = re.compile(r"^\W*(?:[\[(*♪♫][^\])*]*[\])*♪♫]\W*)+$|^[\W_]*$")
# Words that no sentence ends with.
_OPEN_ENDS = frozenset(
    "and or but the a an to of my your his her their our with for from in on at because that if when is was "
    "are i we i'm i've it's so which who into about than "
    "y o pero el la los las un una de mi su con para por que porque si cuando es "
    "und oder aber der die das ein eine zu von mein meine ihr mit für weil dass wenn ist "
    "et ou mais le la les un une de mon ma votre avec pour que parce si quand est "
    "e ou mas os as um uma meu minha seu com porque se quando il lo gli una mio mia con per che perché".split()
)


def is_acknowledgement(text: str) -> bool:
    """Whether the turn is only "okay", "mhm", "I see" and the like, without a question."""
    words = normalized(text).split()
    return 0 < len(words) <= _MOST_WORDS and "?" not in text and _ACKNOWLEDGEMENTS.issuperset(words)


def is_sound(text: str) -> bool:
    """Whether it is no speech: "[music]", "(beep)", "♪", or nothing at all."""
    return bool(_SOUND.match(text))


def is_broken_off(text: str, is_punctuated: bool) -> bool:
    """Whether the sentence ends before its time: by a dash, an open word or no full stop."""
    end = text.rstrip().rstrip('"')
    if end.endswith(("-", "\N{EN DASH}", "\N{EM DASH}", "\N{HORIZONTAL ELLIPSIS}", "...", ",")):
        return True
    if end.endswith((".", "!", "?")):
        return False
    words = end.lower().split()
    return is_punctuated or (bool(words) and words[-1] in _OPEN_ENDS)
