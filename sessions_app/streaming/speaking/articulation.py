"""Tells words from coughs, breaths and hums by their sound, before a recognizer has heard them.

Words have vowels: pitched, and with the mouth open. A cough, a breath or a click has no pitch. A
hum ("mm") has pitch, but a closed mouth, which leaves little above the lowest resonance.

What sounds like a vowel cannot be told from a word: a long "uh-huh", an "mm-hm" with an open mouth,
the voiced end of a cough. Whispered words have no pitch, and are taken for noise.
"""

from typing import Final

import numpy as np

from sessions_app.media import Samples
from sessions_app.streaming.hearing.echo import Clip

RATE: Final = 8000
WINDOW: Final = 320  # samples, 40 ms: two periods of the lowest voice
HOP: Final = 160
SHORTEST_PERIOD: Final = 20  # samples: 400 Hz
LONGEST_PERIOD: Final = 134  # samples: 60 Hz

PERIODIC: Final = 0.6
"""Autocorrelation at the best period from which a window has pitch."""

LOWEST_RESONANCE: Final = 700.0
"""Hz; a hum has next to nothing above it, also on a line that passes nothing below 300 Hz."""

OPEN: Final = 0.1
"""Share of the power above ``LOWEST_RESONANCE`` from which the mouth is open."""

VOWELS: Final = 0.05
"""Seconds of vowels within ``LATEST`` that words have. Noises stay at 0.02, words reach 0.06."""

LATEST: Final = 0.5
"""Seconds of the voice in which vowels are looked for."""


def sounds_like_words(voice: Clip) -> bool:
    """Whether the latest of a voice has vowels."""
    return vowel_seconds(voice.samples, voice.rate) >= VOWELS


def vowel_seconds(samples: Samples, rate: int) -> float:
    """Seconds of vowels in ``samples``; ``rate`` is a multiple of 8000 Hz."""
    factor = rate // RATE
    whole = samples[: len(samples) // factor * factor]
    audio = whole.reshape(-1, factor).mean(axis=1, dtype=np.float32)
    if len(audio) < WINDOW:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP]
    windows = windows - windows.mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)))
    above = round(LOWEST_RESONANCE * WINDOW / RATE)
    total = power.sum(axis=1)
    is_open = power[:, above:].sum(axis=1) > OPEN * total
    loud = total > 0.05 * total.max()
    spectra = np.square(np.abs(np.fft.rfft(windows, 2 * WINDOW, axis=1)))
    products = np.fft.irfft(spectra, axis=1)[:, SHORTEST_PERIOD : LONGEST_PERIOD + 1]
    energy = np.cumsum(np.square(windows), axis=1)
    lags = np.arange(SHORTEST_PERIOD, LONGEST_PERIOD + 1)
    first = energy[:, WINDOW - 1 - lags]
    second = energy[:, -1:] - energy[:, lags - 1]
    periodic = (products / (np.sqrt(first * second) + 1.0)).max(axis=1) > PERIODIC
    return float(np.count_nonzero(is_open & loud & periodic) * HOP / RATE)
