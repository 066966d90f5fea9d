"""Barge-in: decides when a party that is being spoken to wants to speak itself."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from sessions_app.streaming.hearing.echo import Clip
from sessions_app.streaming.speaking.articulation import LATEST, sounds_like_words

HOLD_AFTER: Final = 0.2
"""Seconds of the listener's voice after which no more speech is sent to it."""

STOP_AFTER: Final = 0.4
"""Seconds of voice after which the speech is dropped, if it sounds like words. What is shorter is a
backchannel ("mm-hm"), a cough or a click."""

ECHO_CLIP: Final = 0.3
"""Seconds of audio that show whether a voice is the speaker's own or an echo."""

LOST_AFTER: Final = 0.5
"""Seconds without news of the listener's voice after which speech is no longer held: it is
muted, or its audio has stopped."""

LONGEST_WAIT: Final = 3.0
"""Seconds that speech waits for a pause of a listener who was talking when it came."""


class Verdict(Enum):
    SPEAK = auto()
    HOLD = auto()
    STOP = auto()


class Interruption:
    """For one listener. Told of its voice as often as its audio arrives.

    ``voiced`` is, in seconds of audio, the voice in the listener's present burst of speech; 0
    between bursts.
    """

    def __init__(self) -> None:
        self._held = False
        self._began_before = False
        self._waiting_since: float | None = None
        self._told_at = 0.0

    def is_held(self, now: float) -> bool:
        """Whether nothing may be sent; ``now`` in the clock's seconds."""
        return self._held and now - self._told_at < LOST_AFTER

    def nothing_to_say(self, voiced: float) -> None:
        """No speech is under way: the listener interrupts nothing, but may be talking."""
        self._held = False
        self._began_before = voiced > 0
        self._waiting_since = None

    def judge(self, voiced: float, now: float, latest: Callable[[float], Clip]) -> Verdict:
        """What to do with the speech that is under way; ``now`` in the clock's seconds.
        ``latest`` returns the end of the voice.

        A long voice without words lets the speech go on, and stops it once words follow.
        """
        self._told_at = now
        if not voiced:
            self._began_before = self._held = False
        elif self._began_before:
            # Not an interruption: the speech came while the listener was talking.
            if self._waiting_since is None:
                self._waiting_since = now
            self._held = now - self._waiting_since < LONGEST_WAIT
        elif voiced >= STOP_AFTER:
            self._held = False
            if sounds_like_words(latest(LATEST)):
                return Verdict.STOP
        elif voiced >= HOLD_AFTER:
            self._held = True
        return Verdict.HOLD if self._held else Verdict.SPEAK
