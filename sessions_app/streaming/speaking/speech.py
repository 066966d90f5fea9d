"""What is on its way to a listener: one clause, or one utterance that is passed on."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sessions_app.live_events import WordsToPassOn, WordsToSpeak
from sessions_app.media import Samples, Speaker, decode, resample

SECONDS_OF_A_CHARACTER: Final = 0.07
"""How long a character takes to say, about, before its speech has been made."""


@dataclass(slots=True, eq=False)
class Speech:
    """One clause or passed-on utterance on its way to the listener."""

    segment_id: str | None  # None: the other party's voice, before its words are known
    speaker: Speaker
    last: bool
    end_time: float
    words: WordsToSpeak | None  # None: passed on as it was said
    audio: deque[Samples] = field(default_factory=deque)
    made: int = 0  # samples
    sent: int = 0
    complete: bool = False  # no more audio will be made
    rate: int = 0

    @property
    def waiting(self) -> float:
        """Seconds not yet sent; estimated where they are not made yet."""
        if not self.complete and not self.made and self.words is not None:
            return len(self.words.text) * SECONDS_OF_A_CHARACTER
        return (self.made - self.sent) / self.rate if self.rate else 0.0

    def take(self, size: int) -> Samples | None:
        """The next ``size`` samples, fewer only at the end. None: they are not made yet, or
        nothing is left."""
        left = self.made - self.sent
        # The last block is kept back until it is known to be the last.
        if not left or (left <= size and not self.complete):
            return None
        taken: list[Samples] = []
        wanted = min(size, left)
        while wanted:
            piece = self.audio.popleft()
            if len(piece) > wanted:
                self.audio.appendleft(piece[wanted:])
                piece = piece[:wanted]
            taken.append(piece)
            wanted -= len(piece)
        block = taken[0] if len(taken) == 1 else np.concatenate(taken)
        self.sent += len(block)
        return block


def as_said(wanted: WordsToPassOn, rate: int) -> Speech:
    """An utterance that is passed on, at ``rate`` Hz."""
    samples = resample(decode(wanted.payload, "mulaw"), wanted.sample_rate, rate)
    return Speech(
        wanted.segment_id, wanted.speaker, True, wanted.end_time, None,
        deque([samples]), made=len(samples), complete=True, rate=rate,
    )  # fmt: skip


def segments_of(speeches: Iterable[Speech]) -> list[str]:
    """The ids of their segments, each once."""
    return list(dict.fromkeys(each.segment_id for each in speeches if each.segment_id is not None))
