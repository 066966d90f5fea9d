"""Synthetic speech, noise and silence that a voice activity detector classifies as such."""

import itertools
from collections.abc import Iterator

import numpy as np

from sessions_app import media
from sessions_app.media import AudioFormat, PlacedFrame, Samples, Speaker

MULAW = AudioFormat("mulaw", 8000)


def speech(seconds: float, rate: int = 8000, level: float = 6000, seed: int = 1) -> Samples:
    """A voice without words or pauses: glottal pulses through three vowel resonances."""
    times = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 2.1 * times + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros_like(times)
    for harmonic in range(1, 28):
        frequency = 120 * harmonic
        gain = sum(
            strength / (1 + ((frequency - formant) / width) ** 2)
            for formant, width, strength in ((600, 110, 1.0), (1200, 140, 0.6), (2500, 200, 0.3))
        )
        voice += gain * np.sin(harmonic * phase)
    syllables = 0.65 + 0.35 * np.sin(2 * np.pi * 4 * times)
    voice *= syllables
    voice *= level / np.abs(voice).max()
    return voice.astype(np.int16)


def noise(seconds: float, rms: float = 100, rate: int = 8000, seed: int = 1) -> Samples:
    """White line noise."""
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(round(seconds * rate)) * rms).astype(np.int16)


def silence(seconds: float, rate: int = 8000) -> Samples:
    return np.zeros(round(seconds * rate), dtype=np.int16)


def frames(
    *clips: Samples,
    start: float = 0.0,
    format: AudioFormat = MULAW,
    length: float = 0.1,
    speaker: Speaker = "customer",
) -> Iterator[PlacedFrame]:
    """The clips one after another, cut into placed frames of ``length`` seconds."""
    samples = np.concatenate(clips)
    size = round(length * format.sample_rate)
    for number in itertools.count():
        piece = samples[number * size : (number + 1) * size]
        if not len(piece):
            return
        at = start + number * size / format.sample_rate
        payload = media.encode(piece, format.encoding)
        yield PlacedFrame(speaker, format, payload, at, len(piece) / format.sample_rate)
