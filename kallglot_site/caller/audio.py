"""Converts any audio file into telephone audio: 8 kHz mu-law, in frames of 100 ms."""

import wave
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from kallglot_site.caller.errors import CallFailed
from sessions_app.media import decode, encode

SAMPLE_RATE = 8000  # Hz
FRAME_MS = 100
_FRAME = SAMPLE_RATE * FRAME_MS // 1000  # samples, and bytes, of a frame


def frames_of_file(path: Path) -> list[bytes]:
    """The file's frames of 100 ms; the last one is padded with silence.

    Raises CallFailed when the file does not exist or holds no audio that can be decoded.
    """
    return frames_of_samples(_decoded(path))


def frames_of_samples(samples: npt.NDArray[np.int16]) -> list[bytes]:
    """Mono int16 at 8 kHz → frames of mu-law."""
    samples = np.pad(samples, (0, -len(samples) % _FRAME))
    payload = encode(samples, "mulaw")
    return [payload[at : at + _FRAME] for at in range(0, len(payload), _FRAME)]


def folder_make(path: Path) -> None:
    """Make the folder for such files, if there is none. Raises CallFailed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CallFailed(f"The folder {path} cannot be made: {error.strerror}.") from None


def file_of_frames(path: Path, frames: list[bytes]) -> None:
    """Write frames of mu-law as a WAV file: 16-bit, 8 kHz, mono. Raises CallFailed."""
    file_of_samples(path, decode(b"".join(frames), "mulaw"))


def file_of_samples(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """Write samples at 8 kHz as a WAV file: 16-bit, mono. Raises CallFailed."""
    try:
        with path.open("wb") as opened, wave.open(opened, "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
            file.writeframes(samples.tobytes())
    except OSError as error:
        raise CallFailed(f"{path} cannot be written: {error.strerror}.") from None


def _decoded(path: Path) -> npt.NDArray[np.int16]:
    if not path.is_file():
        raise CallFailed(f"There is no file {path}.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise CallFailed(f"{path} holds no audio.")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            parts = [
                piece.to_ndarray().reshape(-1)
                for frame in [*container.decode(audio=0), None]
                for piece in resampler.resample(frame)
            ]
    except av.FFmpegError as error:
        raise CallFailed(f"{path} cannot be read as audio: {error.strerror}.") from None
    if not sum(map(len, parts)):
        raise CallFailed(f"{path} holds no audio.")
    return np.concatenate(parts).astype(np.int16, copy=False)
