"""Speaks faster, at the same pitch, while much speech waits.

A translation is often longer than what was said, and a party that talks without pauses leaves no
time to catch up: without this its speech would fall further behind with every sentence.
"""

from fractions import Fraction
from typing import Final

import av
import av.filter
import numpy as np

from sessions_app.media import Samples

FASTER_FROM: Final = 1.5
"""Seconds of waiting speech from which on more is spoken faster."""

FASTEST_FROM: Final = 5.0
"""Seconds of waiting speech from which on it is spoken as fast as it may."""

FASTEST: Final = 1.25
"""As many times the normal tempo: good to understand over a telephone."""


def tempo_for(waiting: float) -> float:
    """How many times its normal tempo speech has that comes after ``waiting`` seconds of other."""
    share = (waiting - FASTER_FROM) / (FASTEST_FROM - FASTER_FROM)
    return round(1.0 + (FASTEST - 1.0) * min(max(share, 0.0), 1.0), 2)


class TimeStretch:
    """Streaming change of tempo of mono int16, with FFmpeg's ``atempo`` (WSOLA).

    Output is some milliseconds behind input; ``flush`` returns the rest and ends the stream.
    FFmpeg returns nothing for a stream shorter than its window: such a one stays as it is.
    """

    def __init__(self, rate: int, tempo: float) -> None:
        self._rate = rate
        self._position = 0
        self._unanswered: list[Samples] | None = []
        self._graph = graph = av.filter.Graph()
        time_base = Fraction(1, rate)
        source = graph.add_abuffer(
            sample_rate=rate, format="s16", layout="mono", time_base=time_base
        )
        stretch, sink = graph.add("atempo", str(tempo)), graph.add("abuffersink")
        source.link_to(stretch)
        stretch.link_to(sink)
        graph.configure()

    def feed(self, samples: Samples) -> Samples:
        if not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples)[np.newaxis], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = self._rate, self._position
        frame.time_base = Fraction(1, self._rate)
        self._position += len(samples)
        if self._unanswered is not None:
            self._unanswered.append(samples)
        self._graph.push(frame)
        return self._pull()

    def flush(self) -> Samples:
        self._graph.push(None)
        rest = self._pull()
        return np.concatenate(self._unanswered) if self._unanswered else rest

    def _pull(self) -> Samples:
        pieces: list[Samples] = [np.empty(0, np.int16)]
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(pieces)
            assert isinstance(frame, av.AudioFrame)
            self._unanswered = None
            pieces.append(frame.to_ndarray().reshape(-1).astype(np.int16, copy=False))
