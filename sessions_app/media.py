"""Telephone audio: formats, G.711, resampling, and the frames of a live call.

G.711 (ITU-T) maps 8-bit codes to 16-bit samples: decoding and encoding are table lookups. The
tables are computed here from the definition.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import soxr

Speaker = Literal["agent", "customer"]
Samples = npt.NDArray[np.int16]
Encoding = Literal["mulaw", "alaw", "pcm_s16le"]

ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
MIN_SAMPLE_RATE: Final = 8000
MAX_SAMPLE_RATE: Final = 48000


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The format of raw audio bytes. ``sample_rate`` is in Hz; channels are interleaved.

    Raises:
        ValueError: the encoding, rate or number of channels is not supported.
    """

    encoding: Encoding
    sample_rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}")
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise ValueError(f"sample rate must be {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz")
        if self.channels not in (1, 2):
            raise ValueError("channels must be 1 or 2")

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of one sample of one channel."""
        return 2 if self.encoding == "pcm_s16le" else 1

    @property
    def bytes_per_sample_frame(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * (2 if self.encoding == "pcm_s16le" else 1)

    @property
    def mono(self) -> "AudioFormat":
        """The same format with one channel."""
        return self if self.channels == 1 else audio_format(self.encoding, self.sample_rate, 1)

    def duration(self, payload: bytes) -> float:
        """Duration of ``payload`` in seconds."""
        return len(payload) / (self.bytes_per_sample_frame * self.sample_rate)


@lru_cache(maxsize=256)
def audio_format(encoding: Encoding, sample_rate: int, channels: int) -> AudioFormat:
    """A validated format. Cached: clients send the same three values in every frame."""
    return AudioFormat(encoding, sample_rate, channels)


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """Audio as one speaker's connection sent it: mono, not yet placed on the timeline.

    ``sequence`` and ``timestamp_ms`` are the client's own; ``arrived`` is a ``Clock.time``.
    """

    speaker: Speaker
    format: AudioFormat
    payload: bytes
    sequence: int | None
    timestamp_ms: int | None
    arrived: float


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """Mono audio on the session's timeline. ``start`` and ``duration`` are in seconds.

    ``segment_id``: of made speech, the segment whose translation is spoken.
    """

    speaker: Speaker
    format: AudioFormat
    payload: bytes
    start: float
    duration: float
    segment_id: str | None = None

    @property
    def end(self) -> float:
        """Seconds on the session's timeline."""
        return self.start + self.duration

    def until(self, seconds: float) -> "PlacedFrame | None":
        """Its first ``seconds``, in whole samples; None if that is less than one."""
        if seconds >= self.duration:
            return self
        size = self.format.bytes_per_sample * round(seconds * self.format.sample_rate)
        if size <= 0:
            return None
        payload = self.payload[:size]
        return replace(self, payload=payload, duration=self.format.duration(payload))


def decode(payload: bytes, encoding: Encoding) -> Samples:
    """Samples of ``payload`` as int16, channels interleaved. The array is read-only for PCM."""
    if encoding == "pcm_s16le":
        return np.frombuffer(payload, dtype="<i2")
    table = _MULAW_TO_LINEAR if encoding == "mulaw" else _ALAW_TO_LINEAR
    return table.take(np.frombuffer(payload, dtype=np.uint8))


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """The inverse of ``decode``."""
    if encoding == "pcm_s16le":
        return samples.astype("<i2", copy=False).tobytes()
    table = _linear_to_mulaw() if encoding == "mulaw" else _linear_to_alaw()
    return table[samples.astype(np.int16, copy=False).view(np.uint16)].tobytes()


def split_channels(payload: bytes, format: AudioFormat) -> tuple[bytes, bytes]:
    """The left and right channel of a stereo payload, in the payload's encoding."""
    dtype = np.uint8 if format.bytes_per_sample == 1 else np.uint16
    samples = np.frombuffer(payload, dtype=dtype)
    return samples[0::2].tobytes(), samples[1::2].tobytes()


class Resampler:
    """Streaming conversion of mono int16 from one rate to another (libsoxr).

    Output is some milliseconds behind input; ``flush`` returns the rest and ends the stream.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality="MQ")

    def feed(self, samples: Samples) -> Samples:
        return cast(Samples, self._stream.resample_chunk(samples))

    def flush(self) -> Samples:
        return cast(Samples, self._stream.resample_chunk(np.empty(0, dtype=np.int16), last=True))


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """A whole clip at another sample rate."""
    if from_rate == to_rate:
        return samples
    return cast(Samples, soxr.resample(samples, from_rate, to_rate, quality="HQ"))


# --- G.711 ------------------------------------------------------------------------------------

_MULAW_BIAS: Final = 0x84
_MULAW_CLIP: Final = 32635


def _mulaw_to_linear() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + _MULAW_BIAS << ((code & 0x70) >> 4)) - _MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_to_linear() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, magnitude, (magnitude + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _every_sample() -> npt.NDArray[np.int32]:
    """All int16 values in the order of their bit patterns."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


@lru_cache(maxsize=1)
def _linear_to_mulaw() -> npt.NDArray[np.uint8]:
    sample = _every_sample()
    # G.711 uses 14 bits. Shifting before negating rounds negative values as the standard does.
    negative = sample < 0
    magnitude = np.where(negative, -(sample >> 2) << 2, sample >> 2 << 2)
    magnitude = np.minimum(magnitude, _MULAW_CLIP) + _MULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    code = segment << 4 | (magnitude >> (segment + 3)) & 0x0F
    return np.where(negative, ~code & 0x7F, ~code & 0xFF).astype(np.uint8)


@lru_cache(maxsize=1)
def _linear_to_alaw() -> npt.NDArray[np.uint8]:
    sample = _every_sample() >> 3
    negative = sample < 0
    magnitude = np.where(negative, -sample - 1, sample)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    code = segment << 4 | (magnitude >> np.maximum(segment, 1)) & 0x0F
    return (np.where(negative, code, code | 0x80) ^ 0x55).astype(np.uint8)


_MULAW_TO_LINEAR: Final = _mulaw_to_linear()
_ALAW_TO_LINEAR: Final = _alaw_to_linear()
