"""Recognizes the other party's voice on a speaker's line: echo, which is nobody's words here.

A telephone line or a loudspeaker returns what one party says to the other a moment later and more
quietly. Such an echo has the waveform of the original, which nobody who repeats a sentence can
produce. So each half second of an utterance is correlated with what the other party said around
that time: where the waveforms agree at one delay, it is echo.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sessions_app.media import Samples, resample

BLOCK: Final = 0.5
"""Seconds that are judged together."""

RATE: Final = 4000
"""Hz at which waveforms are compared: enough to tell them apart, and half the work of 8000."""

EARLIEST: Final = -0.2
LATEST: Final = 0.8
"""Seconds by which an echo may follow its original on the timeline. The two parties' audio is
placed by its arrival, so the echo may even seem to come first."""

AGREEMENT: Final = 0.5
"""Normalized cross-correlation from which a block is echo. Different words stay below 0.3, in the
same voice too; an echo, with the filter of a telephone line on it, is above 0.7."""

LOUDEST: Final = 0.5
"""Loudness of an echo relative to its original (-6 dB)."""

OWN: Final = 0.5
"""Loudness, relative to the echo beside it, of a block that is the speaker's own. What is quieter
is a pause within the echo, where noise hides the waveform."""

KEPT: Final = 40.0
"""Seconds for which speech is kept to compare the other party's utterances with: those are 28
seconds long at most, and are judged when they end."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """``start`` in seconds on the session's timeline, ``rate`` in Hz."""

    start: float
    samples: Samples
    rate: int

    @property
    def end(self) -> float:
        """Seconds on the session's timeline."""
        return self.start + len(self.samples) / self.rate


class SpokenAudio:
    """What one speaker said lately, by its place on the session's timeline.

    Args:
        open_clip: the utterance being spoken, if any.
    """

    def __init__(self, open_clip: Callable[[], Clip | None] = lambda: None) -> None:
        self._clips: deque[Clip] = deque()
        self._open_clip = open_clip

    def add(self, clip: Clip) -> None:
        """An utterance has ended."""
        self._clips.append(clip)
        while self._clips[0].end < clip.end - KEPT:
            self._clips.popleft()

    def between(self, start: float, end: float, rate: int) -> Samples:
        """The speech between two times; empty when nothing was said, else silence around it."""
        clips = [*self._clips, self._open_clip()]
        found = [clip for clip in clips if clip and clip.start < end and clip.end > start]
        size = round((end - start) * rate) if found else 0
        audio = np.zeros(size, dtype=np.int16)
        for clip in found:
            # Only the part that is asked for: resampling all of it costs milliseconds.
            skipped = max(0, math.floor((start - clip.start) * clip.rate))
            samples = clip.samples[skipped : math.ceil((end - clip.start) * clip.rate)]
            if clip.rate != rate:
                samples = resample(samples, clip.rate, rate)
            offset = round((clip.start + skipped / clip.rate - start) * rate)
            first, last = max(offset, 0), min(offset + len(samples), size)
            if first < last:
                audio[first:last] = samples[first - offset : last - offset]
        return audio


def is_echo(clip: Clip, other: SpokenAudio) -> bool:
    """Whether all of a short clip is what the other party said."""
    reference = other.between(clip.start - LATEST, clip.end - EARLIEST, clip.rate)
    if not len(reference) or not len(clip.samples):
        return False
    return _is_echo(_reduced(clip.samples, clip.rate), _reduced(reference, clip.rate))


def own_speech(clip: Clip, others: Sequence[SpokenAudio]) -> Clip | None:
    """The part of an utterance that holds the speaker's own words; None: all of it is echo.

    Args:
        others: what the speaker could hear: what the other party said, what was spoken here.
    """
    own: Clip | None = clip
    for other in others:
        if own is not None:
            own = _without(own, other)
    return own


def _without(clip: Clip, other: SpokenAudio) -> Clip | None:
    samples, rate = clip.samples, clip.rate
    reference = other.between(clip.start - LATEST, clip.end - EARLIEST, rate)
    if not len(reference):
        return clip
    signal, original = _reduced(samples, rate), _reduced(reference, rate)
    size, span = round(BLOCK * RATE), round((LATEST - EARLIEST) * RATE)
    blocks = range(0, max(1, len(signal) - size // 2), size)
    echo = [
        _is_echo(signal[first : first + size], original[first : first + size + span])
        for first in blocks
    ]
    if not any(echo):
        return clip
    loudness = [_rms(signal[first : first + size]) for first in blocks]
    quiet = OWN * np.mean([loud for loud, is_echo in zip(loudness, echo, strict=True) if is_echo])
    own = [
        number
        for number, (loud, is_echo) in enumerate(zip(loudness, echo, strict=True))
        if not is_echo and loud > quiet
    ]
    if not own:
        return None
    # A margin of a whole block: the speaker may have begun within the one before.
    first = max(0, own[0] - 1) * BLOCK
    last = len(samples) if own[-1] >= len(blocks) - 2 else round((own[-1] + 2) * BLOCK * rate)
    if not first and last == len(samples):
        return clip
    return Clip(clip.start + first, samples[round(first * rate) : last], rate)


def _reduced(samples: Samples, rate: int) -> npt.NDArray[np.float32]:
    factor = rate // RATE
    whole = samples[: len(samples) // factor * factor]
    reduced: npt.NDArray[np.float32] = whole.reshape(-1, factor).mean(axis=1, dtype=np.float32)
    return reduced


def _is_echo(block: npt.NDArray[np.float32], original: npt.NDArray[np.float32]) -> bool:
    """Whether ``block`` stands, more quietly, somewhere in ``original``."""
    size = len(block)
    if len(original) < size:
        return False
    length = 1 << (len(original) + size - 1).bit_length()
    spectrum = np.fft.rfft(original, length) * np.conj(np.fft.rfft(block, length))
    products = np.fft.irfft(spectrum, length)[: len(original) - size + 1]
    energy = np.concatenate(([0.0], np.cumsum(np.square(original, dtype=np.float64))))
    energies = energy[size:] - energy[:-size]
    norm = float(np.sqrt(np.sum(np.square(block, dtype=np.float64))))
    # Samples of at least 1: silence would agree with everything.
    agreement = np.abs(products) / (norm * np.sqrt(np.maximum(energies, size)) + 1.0)
    best = int(np.argmax(agreement))
    return bool(agreement[best] >= AGREEMENT and norm <= LOUDEST * np.sqrt(energies[best]))


def _rms(samples: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
