"""When the caller's turn has ended: silence, the words and how they sounded decide together.

The words give a delay (``streaming.hearing.turns.delay_after``): short after a finished sentence,
long in the middle of a number. It stands for a probability that the speaker has finished. The
smart-turn model gives another one, from the sound. Their log-odds are added, the model's at
``MODEL_WEIGHT``, because the two are not independent; the less likely the end, the longer the
silence that is waited for. Pure: times are given, in seconds.

``benchmarks/turn_ends.py`` measures it beside plain silence.
"""

import math
from typing import Final

import numpy as np

SHORTEST: Final = 0.4
LONGEST: Final = 2.0
"""Seconds; the limits of every delay."""

UNKNOWN_WORDS: Final = 0.5
"""Seconds; the words' delay while they are not known."""

MODEL_WEIGHT: Final = 0.5

_DELAYS: Final = (0.4, 0.5, 0.55, 0.9, 1.5)
_FINISHED: Final = (0.8, 0.6, 0.5, 0.2, 0.1)
"""For each of the words' delays, how likely it is that the speaker has finished."""

_SHAPE: Final = 0.75
_SUREST: Final = 0.97
"""The model is never believed to be surer than this."""


def turn_delay(words_delay: float, probability: float | None) -> float:
    """Seconds of silence after which the turn has ended.

    ``words_delay`` in seconds; ``probability``, 0…1, that the speaker has finished, or ``None``.
    """
    odds = _log_odds(float(np.interp(words_delay, _DELAYS, _FINISHED)))
    if probability is not None:
        odds += MODEL_WEIGHT * _log_odds(min(max(probability, 1 - _SUREST), _SUREST))
    unfinished = 1 / (1 + math.exp(odds))
    return SHORTEST + (LONGEST - SHORTEST) * math.pow(unfinished, _SHAPE)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


class TurnEnd:
    """For one caller. Tell it what happens; ``at`` says when the turn ends."""

    def __init__(self) -> None:
        self._silent_since: float | None = None
        self._words_delay = UNKNOWN_WORDS
        self._probability: float | None = None

    def silence_began(self, at: float) -> None:
        """The caller was last heard at ``at``."""
        self._silent_since = at
        self._words_delay, self._probability = UNKNOWN_WORDS, None

    def speech_resumed(self) -> None:
        """The caller goes on: the turn had not ended."""
        self._silent_since = None

    def words_known(self, delay: float, silent_since: float) -> None:
        """The words' delay; ignored if the caller has spoken since the silence they were for."""
        if silent_since == self._silent_since:
            self._words_delay = delay

    def judged(self, probability: float, silent_since: float) -> None:
        """The model's answer; ignored if the caller has spoken since the silence it was for."""
        if silent_since == self._silent_since:
            self._probability = probability

    @property
    def at(self) -> float | None:
        """When the turn ends if the caller stays silent; ``None`` while they speak."""
        if self._silent_since is None:
            return None
        return self._silent_since + turn_delay(self._words_delay, self._probability)

    def ended(self, now: float) -> bool:
        """Whether the turn has ended at ``now``."""
        return self.at is not None and now >= self.at
