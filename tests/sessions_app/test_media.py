import warnings

import numpy as np
import pytest

from sessions_app import media
from sessions_app.media import AudioFormat, Resampler

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    audioop = pytest.importorskip("audioop", reason="an independent G.711; gone from Python 3.13")

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
EVERY_CODE = bytes(range(256))


def test_mulaw_decodes_as_the_reference_does():
    expected = np.frombuffer(audioop.ulaw2lin(EVERY_CODE, 2), dtype=np.int16)
    assert np.array_equal(media.decode(EVERY_CODE, "mulaw"), expected)


def test_alaw_decodes_as_the_reference_does():
    expected = np.frombuffer(audioop.alaw2lin(EVERY_CODE, 2), dtype=np.int16)
    assert np.array_equal(media.decode(EVERY_CODE, "alaw"), expected)


def test_mulaw_encodes_every_sample_as_the_reference_does():
    assert media.encode(EVERY_SAMPLE, "mulaw") == audioop.lin2ulaw(EVERY_SAMPLE.tobytes(), 2)


def test_alaw_encodes_every_sample_as_the_reference_does():
    assert media.encode(EVERY_SAMPLE, "alaw") == audioop.lin2alaw(EVERY_SAMPLE.tobytes(), 2)


def test_pcm_comes_back_unchanged():
    assert np.array_equal(
        media.decode(media.encode(EVERY_SAMPLE, "pcm_s16le"), "pcm_s16le"), EVERY_SAMPLE
    )


@pytest.mark.parametrize("encoding", media.ENCODINGS)
def test_stereo_splits_into_left_and_right(encoding):
    left = np.array([1000, 2000, 3000], dtype=np.int16)
    right = np.array([-1000, -2000, -3000], dtype=np.int16)
    stereo = media.encode(np.column_stack([left, right]).ravel(), encoding)
    assert media.split_channels(stereo, AudioFormat(encoding, 8000, 2)) == (
        media.encode(left, encoding),
        media.encode(right, encoding),
    )


@pytest.mark.parametrize(
    ("encoding", "rate", "channels"),
    [
        ("opus", 8000, 1),
        ("mulaw", 7999, 1),
        ("mulaw", 48001, 1),
        ("mulaw", 8000, 0),
        ("mulaw", 8000, 3),
    ],
)
def test_unsupported_formats_are_refused(encoding, rate, channels):
    with pytest.raises(ValueError, match="must be"):
        AudioFormat(encoding, rate, channels)


def test_the_duration_of_a_payload():
    assert AudioFormat("mulaw", 8000).duration(bytes(800)) == pytest.approx(0.1)
    assert AudioFormat("pcm_s16le", 16000, 2).duration(bytes(6400)) == pytest.approx(0.1)


def test_resampling_in_pieces_keeps_the_length_and_the_tone():
    rate = 44100
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    resampler = Resampler(rate, 16000)
    pieces = [resampler.feed(piece) for piece in np.array_split(tone, 37)]
    result = np.concatenate([*pieces, resampler.flush()])
    assert abs(len(result) - 16000) <= 1
    assert np.argmax(np.abs(np.fft.rfft(result))) == pytest.approx(440, abs=1)
