import numpy as np
import pytest

from sessions_app.agents.turns.features import log_mel


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 8.0, 20.0])
def test_any_audio_has_features_of_one_shape(rate: int, seconds: float) -> None:
    audio = np.random.default_rng(0).normal(0, 3000, int(rate * seconds)).astype(np.int16)
    features = log_mel(audio, rate)
    assert features.shape == (1, 80, 800)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def tone(seconds: float, hertz: float) -> np.ndarray:
    times = np.arange(int(seconds * 16_000)) / 16_000
    return (8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def test_the_last_eight_seconds_count_and_a_short_recording_stands_at_the_end() -> None:
    long = np.concatenate([tone(5, 3000), tone(8, 440)])
    assert np.array_equal(log_mel(long, 16_000), log_mel(tone(8, 440), 16_000))
    short = log_mel(tone(1, 440), 16_000)[0]
    assert short[:, :690].max() < short[:, 710:].max()


def test_the_features_are_those_that_the_model_was_trained_with() -> None:
    # Made by the reference of the pipecat-ai package for this audio.
    features = log_mel(np.concatenate([tone(2, 440), tone(2, 1000)]), 16_000)[0]
    assert np.allclose([features.min(), features.max()], REFERENCE[0], atol=1e-4)
    assert np.allclose(features[[5, 11, 25, 60], 780], REFERENCE[1], atol=1e-4)


REFERENCE = ((-0.25932, 1.74068), (-0.25932, -0.25932, 1.64216, -0.25932))
