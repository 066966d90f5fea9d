"""The features that the smart-turn model takes: 80 log-mel bands of the last 8 seconds."""

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

RATE: Final = 16_000
"""Hz."""

SECONDS: Final = 8
"""The model hears no more than these."""

_SAMPLES: Final = RATE * SECONDS


def log_mel(audio: npt.NDArray[np.int16], sample_rate: int) -> npt.NDArray[np.float32]:
    """Shape (1, 80, 800) for mono ``audio`` at ``sample_rate`` Hz; short audio is padded in front.

    The features are Whisper's, of audio brought to a mean of 0 and a variance of 1.
    """
    from faster_whisper.feature_extractor import FeatureExtractor

    samples = audio[-sample_rate * SECONDS :].astype(np.float32) / 32768
    if sample_rate != RATE:
        samples = soxr.resample(samples, sample_rate, RATE)
    samples = samples[-_SAMPLES:]
    padded = np.pad(samples, (_SAMPLES - len(samples), 0))
    normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
    extractor = FeatureExtractor(feature_size=80, sampling_rate=RATE, chunk_length=SECONDS)
    features = extractor(normal.astype(np.float32), padding=0)[:, : SECONDS * 100]
    return np.ascontiguousarray(features[None], np.float32)
