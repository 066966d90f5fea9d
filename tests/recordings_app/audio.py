"""Known audio, and how well decoded audio agrees with it."""

import io
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt

from sessions_app.media import AudioFormat, PlacedFrame, Samples, encode
from sessions_app.streaming.hearing.taps import AudioTap

MULAW = AudioFormat("mulaw", 8000)


def voice(seconds: float, rate: int = 8000, seed: int = 1) -> Samples:
    """Something speech-like: noise in syllables. Never the same twice, so lags are unmistakable."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    noise = np.convolve(rng.standard_normal(count + 64), np.hanning(24), "same")[:count]
    syllables = np.repeat(rng.uniform(0, 1, count // (rate // 5) + 2), rate // 5)[:count]
    sound = noise * syllables
    return cast(Samples, (sound / np.abs(sound).max() * 20000).astype(np.int16))


def feed(
    tap: AudioTap,
    samples: Samples,
    *,
    at: float = 0.0,
    format: AudioFormat = MULAW,
    speaker: Any = "customer",
    frame: float = 0.1,
) -> None:
    """Write ``samples`` as a client's frames, beginning at ``at`` seconds."""
    step = round(frame * format.sample_rate)
    for start in range(0, len(samples), step):
        piece = samples[start : start + step]
        tap.write(
            PlacedFrame(
                speaker,
                format,
                encode(piece, format.encoding),
                at + start / format.sample_rate,
                len(piece) / format.sample_rate,
            )
        )


def decoded(data: bytes) -> tuple[npt.NDArray[np.int16], int]:
    """Samples by channel, and their rate, as any player based on ffmpeg hears them."""
    with av.open(io.BytesIO(data)) as container:
        rate = container.streams.audio[0].rate
        channels = container.streams.audio[0].channels
        pack = av.AudioResampler(format="s16")
        blocks = [
            packed.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for packed in pack.resample(frame)
        ]
    return np.concatenate(blocks).reshape(-1, channels).T, rate


@dataclass(frozen=True)
class Agreement:
    """``lag`` in seconds: how late ``heard`` is. ``correlation`` once that is taken out."""

    lag: float
    correlation: float


def agreement(heard: npt.NDArray[np.int16], source: npt.NDArray[np.int16], rate: int) -> Agreement:
    """Cross-correlation over all lags."""
    a, b = heard.astype(np.float64), source.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lag = int(np.argmax(product))
    lag = lag if lag < size // 2 else lag - size
    a, b = (a[lag:], b) if lag >= 0 else (a, b[-lag:])
    count = min(len(a), len(b))
    return Agreement(lag / rate, float(np.corrcoef(a[:count], b[:count])[0, 1]))
