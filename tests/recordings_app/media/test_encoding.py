"""Encoded files line up with their source, with every codec."""

import io
import tempfile

import numpy as np
import pytest

from recordings_app.media.encoding import AudioWriter
from recordings_app.media.formats import FORMATS, SAMPLE_RATES, fitting_rate
from recordings_app.media.lame_tag import FrameHeader
from recordings_app.variants import convert
from tests.recordings_app.audio import agreement, decoded, voice


def encoded(samples, format, rate, channels=1):
    with tempfile.TemporaryFile() as file:
        with AudioWriter(file, format, rate, channels) as audio:
            for start in range(0, len(samples), rate):
                audio.write(samples[start : start + rate])
        file.seek(0)
        return file.read()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_decoded_audio_has_the_length_and_position_of_its_source(format, rate):
    source = voice(5, rate=rate)
    (heard,), heard_rate = decoded(encoded(source, format, rate))
    assert heard_rate == rate
    assert len(heard) == len(source)
    found = agreement(heard, source, rate)
    assert abs(found.lag) <= 0.001
    assert found.correlation > 0.95


@pytest.mark.parametrize("format", FORMATS)
def test_two_channels_stay_separate(format):
    left, right = voice(5, seed=1), voice(5, seed=2)
    right[: len(right) // 2] = 0
    stereo = np.stack([left, right], axis=1).ravel()
    (heard_left, heard_right), _ = decoded(encoded(stereo, format, 8000, channels=2))
    assert agreement(heard_left, left, 8000).correlation > 0.95
    assert agreement(heard_right, right, 8000).correlation > 0.95
    quiet = heard_right[: len(right) // 2 - 1000].astype(float)
    assert np.sqrt((quiet**2).mean()) < 0.02 * np.sqrt((left.astype(float) ** 2).mean())


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_no_length_is_still_a_file(format):
    data = encoded(np.empty(0, np.int16), format, 8000)
    assert isinstance(data, bytes)


def test_the_same_audio_gives_the_same_bytes():
    for format in ("mp3", "wav"):
        assert encoded(voice(2), format, 8000) == encoded(voice(2), format, 8000)


def test_every_mp3_frame_but_the_first_is_audio():
    data = encoded(voice(3, rate=44100), "mp3", 44100)
    assert b"Info" in data[: FrameHeader(data).size]
    offset = frames = 0
    while offset < len(data):
        offset += FrameHeader(data[offset : offset + 4]).size
        frames += 1
    assert offset == len(data)
    assert int.from_bytes(data[29:33], "big") == frames - 1


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("to_rate", [8000, 22050, 48000])
def test_a_variant_lines_up_with_its_original(format, to_rate):
    original = encoded(voice(5, rate=16000), "mp3", 16000)
    target = io.BytesIO()
    convert(io.BytesIO(original), target, format=format, sample_rate=to_rate, channels=1)
    (heard,), _ = decoded(target.getvalue())
    source = voice(5, rate=16000)
    back = io.BytesIO()
    convert(io.BytesIO(target.getvalue()), back, format="wav", sample_rate=16000, channels=1)
    (again,), _ = decoded(back.getvalue())
    assert len(heard) == pytest.approx(5 * to_rate, abs=2)
    found = agreement(again, source, 16000)
    assert abs(found.lag) <= 0.001
    assert found.correlation > 0.9


def test_a_recording_gets_the_lowest_rate_that_loses_nothing():
    assert [fitting_rate(rate) for rate in (0, 8000, 8001, 16000, 24000, 48000)] == [
        8000,
        8000,
        16000,
        16000,
        44100,
        48000,
    ]
