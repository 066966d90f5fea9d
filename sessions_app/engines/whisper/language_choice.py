"""Which language an utterance is in: the detection, weighed with what else is known. Pure.

Whisper's detection is nearly always right when it is sure. When it is not, it names languages of
which the model heard little in training, and then writes words in their script. So a rare language
needs more evidence than a common one, and among close candidates the likelier text decides.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

Shares = list[tuple[str, float]]
"""Language and share of the evidence, the largest first. The shares add up to 1."""

_common = "en zh de es ru fr pt ko ja tr pl it sv nl"
_rarer = "ca fi id ar uk vi he el da ms hu ro no th cs ta ur hi hr sk bg tl"
_COMMON: Final = frozenset(_common.split())
_RARER: Final = frozenset(_rarer.split())
"""More than 2,000 hours of transcribed speech in Whisper's training, and more than 70 or
translated into English (Radford et al. 2022, appendix E; Welsh and Latin are mostly mistakes of the
data)."""

_WEIGHT_OF_RARER: Final = 0.2
_WEIGHT_OF_RAREST: Final = 0.03
_EXPECTED: Final = 20.0
"""How many times likelier the speaker's language is than another one, before anything is heard."""

_SURE: Final = 0.75
"""Share from which on no other language is tried."""

_WORTH_TRYING: Final = 0.05
_MOST_TRIED: Final = 3
_UNCLEAR: Final = 0.4
"""Share of the first language under which the detection says little, and more are tried."""

_MOST_TRIED_IF_UNCLEAR: Final = 6
_WEIGHT_OF_SHARE: Final = 0.2
"""Of the logarithm of the share, beside the mean log probability of the words."""


def weighed(detected: Sequence[tuple[str, float]], allowed: Collection[str] = ()) -> Shares:
    """The detection among ``allowed`` (empty: all languages, the rarer ones with less weight)."""
    if allowed:
        found = [(code, probability) for code, probability in detected if code in allowed]
    else:
        found = [(code, probability * _weight(code)) for code, probability in detected]
    return _normalized(found)


def expecting(shares: Shares, expected: str | None) -> Shares:
    """The shares if the speaker was heard in ``expected`` before."""
    return _normalized(
        [(code, share * (_EXPECTED if code == expected else 1.0)) for code, share in shares]
    )


def to_try(shares: Shares) -> list[str]:
    """The languages to decode in: one if it is sure, else the closest ones as well."""
    if not shares or shares[0][1] >= _SURE:
        return [code for code, _ in shares[:1]]
    most = _MOST_TRIED if shares[0][1] >= _UNCLEAR else _MOST_TRIED_IF_UNCLEAR
    others = [code for code, share in shares[1:most] if share >= _WORTH_TRYING]
    return [shares[0][0], *others]


def score(log_probability: float, share: float) -> float:
    """How likely a language is whose words have this mean log probability."""
    return log_probability + _WEIGHT_OF_SHARE * math.log(max(share, 1e-6))


def _weight(code: str) -> float:
    if code in _COMMON:
        return 1.0
    return _WEIGHT_OF_RARER if code in _RARER else _WEIGHT_OF_RAREST


def _normalized(found: Sequence[tuple[str, float]]) -> Shares:
    total = sum(value for _, value in found) or 1.0
    shares = [(code, value / total) for code, value in found]
    return sorted(shares, key=lambda each: -each[1])
