"""Speech at another tempo and the same pitch."""

import numpy as np
import pytest

from sessions_app.streaming.speaking.tempo import FASTEST, TimeStretch, tempo_for

RATE = 8000


def tone(seconds, hertz=440.0):
    return np.asarray(8000 * np.sin(2 * np.pi * hertz * np.arange(seconds * RATE) / RATE), np.int16)


def stretched(samples, tempo, chunk=1000):
    stretch = TimeStretch(RATE, tempo)
    pieces = [stretch.feed(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
    return np.concatenate([*pieces, stretch.flush()])


def pitch(samples):
    return np.argmax(np.abs(np.fft.rfft(samples[:RATE]))) * RATE / len(samples[:RATE])


@pytest.mark.parametrize("tempo", [1.1, 1.25])
@pytest.mark.parametrize("chunk", [77, 1000, 40000])
def test_speech_becomes_shorter_and_keeps_its_pitch(tempo, chunk):
    faster = stretched(tone(4), tempo, chunk)
    assert len(faster) / RATE == pytest.approx(4 / tempo, abs=0.03)
    assert pitch(faster) == pytest.approx(440, abs=2)
    assert np.abs(faster).max() == pytest.approx(8000, rel=0.05)


def test_the_shortest_speech_survives():
    assert 0 < len(stretched(tone(1)[:100], 1.25)) <= 100


def test_no_speech_stays_none():
    assert len(stretched(tone(1)[:0], 1.25)) == 0


def test_the_tempo_grows_with_what_waits():
    tempos = [tempo_for(waiting) for waiting in (0.0, 1.5, 3.0, 4.0, 5.0, 40.0)]
    assert tempos == sorted(tempos)
    assert tempos[:2] == [1.0, 1.0]
    assert 1.0 < tempos[2] < FASTEST
    assert tempos[-2:] == [FASTEST, FASTEST]
