"""The other party's own voice, mixed quietly under the speech."""

from collections import deque
from typing import Final

import numpy as np

from sessions_app.media import Samples

LONGEST: Final = 0.3
"""Seconds of the voice that wait to be mixed."""


class Beneath:
    """Of one lane. ``volume`` is from 0 to 1."""

    def __init__(self, volume: float) -> None:
        self._volume = volume
        self._waiting: deque[Samples] = deque()

    def add(self, samples: Samples, rate: int) -> None:
        """While speech is being made or held nothing takes it, and it must not grow old."""
        self._waiting.append(samples)
        while len(self._waiting) > 1 and sum(map(len, self._waiting)) > LONGEST * rate:
            self._waiting.popleft()

    def clear(self) -> None:
        self._waiting.clear()

    def mixed(self, block: Samples) -> Samples:
        """A block of speech with the voice that waits beneath it."""
        if not self._waiting:
            return block
        beneath = np.concatenate(self._waiting)
        self._waiting.clear()
        if len(beneath) > len(block):
            self._waiting.append(beneath[len(block) :])
        mixed = block.astype(np.float32)
        size = min(len(beneath), len(block))
        mixed[:size] += self._volume * beneath[:size]
        return np.clip(mixed, -32768, 32767).astype(np.int16)
