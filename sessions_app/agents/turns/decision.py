"""When the caller's turn has ended: silence, the words and how they sounded decide together.

The words alone give a delay (``streaming.hearing.turns.delay_after``): short after a finished
sentence, long in the middle of a number. The smart-turn model gives a probability that the speaker
has finished. The turn ends after ``turn_delay`` of both. Pure: times are given, in seconds.
"""

from typing import Final

SHORTEST: Final = 0.4
LONGEST: Final = 2.0
"""Seconds; the limits of every delay."""

UNKNOWN_WORDS: Final = 0.5
"""Seconds; the words' delay while they are not known."""

DOUBT: Final = 1.5
"""How many times the words' delay is added when the model is sure that the speaker goes on."""

NO_MODEL: Final = 0.5
"""The probability without a model, or before its answer."""


def turn_delay(words_delay: float, probability: float | None) -> float:
    """Seconds of silence after which the turn has ended.

    ``words_delay`` in seconds; ``probability``, 0…1, that the speaker has finished, or ``None``.
    """
    finished = NO_MODEL if probability is None else min(max(probability, 0.0), 1.0)
    return min(max(words_delay * (1 + DOUBT * (1 - finished)), SHORTEST), LONGEST)


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
