import wave
from pathlib import Path

import av
import numpy as np
import pytest

from kallglot_site.caller.audio import frames_of_file, frames_of_samples
from kallglot_site.caller.errors import CallFailed
from sessions_app.media import decode

SECOND = np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000)
"""A tone of 440 Hz, one second long, at 48 kHz."""


def tone(path: Path, layout: str) -> Path:
    """The second of tone as a file, in the codec of its ending."""
    samples = (SECOND * 12_000).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    with av.open(str(path), "w") as container:
        codec = {"wav": "pcm_s16le", "mp3": "mp3", "flac": "flac"}[path.suffix[1:]]
        stream = container.add_stream(codec, rate=48_000, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples, channels)[None, :], format="s16", layout=layout
        )
        frame.rate = 48_000
        for part in (frame, None):
            for packet in stream.encode(part):
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "layout"),
    [("tone.wav", "mono"), ("tone.wav", "stereo"), ("tone.mp3", "mono"), ("tone.flac", "stereo")],
)
def test_any_audio_file_is_converted_to_telephone_audio(tmp_path, name, layout):
    frames = frames_of_file(tone(tmp_path / name, layout))
    assert {len(frame) for frame in frames} == {800}
    assert 10 <= len(frames) <= 12
    heard = decode(b"".join(frames), "mulaw")
    spectrum = np.abs(np.fft.rfft(heard[800:7200]))
    assert np.argmax(spectrum) * 8000 / 6400 == pytest.approx(440, abs=2)


def test_the_last_frame_is_filled_with_silence():
    frames = frames_of_samples(np.full(801, 5_000, np.int16))
    assert [len(frame) for frame in frames] == [800, 800]
    assert not decode(frames[1], "mulaw")[1:].any()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CallFailed, match=r"There is no file .*nothing\.wav"):
        frames_of_file(tmp_path / "nothing.wav")


def test_a_file_that_is_not_audio_is_refused(tmp_path):
    path = tmp_path / "letter.wav"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(CallFailed, match="cannot be read as audio"):
        frames_of_file(path)


def test_a_file_without_sound_is_refused(tmp_path):
    path = tmp_path / "empty.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
    with pytest.raises(CallFailed, match="holds no audio"):
        frames_of_file(path)
