"""Audio files written as a stream: mp3 (LAME), ogg (Vorbis) and wav.

Measured on an hour of telephone speech, ``lameenc``'s LAME takes a quarter of the time of the one
in PyAV's wheels, which carry no Vorbis encoder either: libsndfile does that. PyAV writes the wav,
because it alone goes on beyond 4 GiB.

A lossy codec delays what it encodes (LAME at 8 kHz by 138 ms). Its container says by how much, the
LAME tag of an mp3, the granule positions of an ogg, so that a decoder that reads it lines up with
the source. Writing the mp3's tag needs a file that can seek: it stands in the first frame.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self

import av
import lameenc
import numpy as np
import soundfile
from av.audio.stream import AudioStream

from recordings_app.media.formats import Format
from recordings_app.media.lame_tag import HEADER_BYTES, FrameHeader, tag_frame
from sessions_app.media import Samples

# Bits per second and channel: transparent for speech of that bandwidth.
_MP3_BIT_RATES: Final = {8000: 32_000, 16000: 48_000, 22050: 56_000, 44100: 80_000, 48000: 80_000}


class _Encoder(Protocol):
    def write(self, samples: Samples) -> None: ...

    def close(self) -> None: ...


class AudioWriter:
    """One file being written. ``channels`` 1 or 2; samples come as int16, interleaved if stereo.

    ``target`` must be readable and seekable; it stays open. Leaving the ``with`` block finishes
    the file.
    """

    def __init__(self, target: BinaryIO, format: Format, sample_rate: int, channels: int) -> None:
        self._encoder: _Encoder = _ENCODERS[format](target, format, sample_rate, channels)

    def write(self, samples: Samples) -> None:
        if len(samples):
            self._encoder.write(np.ascontiguousarray(samples))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._encoder.close()


class _WavEncoder:
    def __init__(self, target: BinaryIO, format: Format, sample_rate: int, channels: int) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._rate = sample_rate
        # No writer's name in the file: the same call always gives the same bytes.
        self._container = av.open(
            target,
            "w",
            format=format,
            container_options={"fflags": "+bitexact", "rf64": "auto"},
        )
        stream: Any = self._container.add_stream("pcm_s16le", rate=sample_rate, layout=self._layout)
        self._stream: AudioStream = stream

    def write(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            samples.reshape(1, -1), format="s16", layout=self._layout
        )
        frame.sample_rate = self._rate
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _Mp3Encoder:
    """LAME at a constant bit rate, with the tag frame that LAME's own program would write."""

    _QUALITY: Final = 3  # LAME's own default

    def __init__(self, target: BinaryIO, format: Format, sample_rate: int, channels: int) -> None:
        self._target = target
        self._channels = channels
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_in_sample_rate(sample_rate)
        encoder.set_out_sample_rate(sample_rate)
        encoder.set_channels(channels)
        encoder.set_bit_rate(_MP3_BIT_RATES[sample_rate] * channels // 1000)
        encoder.set_quality(self._QUALITY)
        self._lame = encoder
        self._samples = self._frames = self._size = 0
        self._first: FrameHeader | None = None
        self._unread = b""  # of the frame that has not come whole

    def write(self, samples: Samples) -> None:
        self._samples += len(samples) // self._channels
        self._append(bytes(self._lame.encode(samples.tobytes())))

    def close(self) -> None:
        if self._samples:
            self._append(bytes(self._lame.flush()))
        if self._first is not None:
            tag = tag_frame(
                self._first, frames=self._frames, size=self._size, samples=self._samples
            )
            self._target.seek(0)
            self._target.write(tag)
            self._target.seek(0, 2)

    def _append(self, data: bytes) -> None:
        if not data:
            return
        if self._first is None:
            self._first = FrameHeader(data)
            self._size = self._target.write(bytes(self._first.unpadded_size))
        self._size += self._target.write(data)
        data, offset = self._unread + data, 0
        while offset + HEADER_BYTES <= len(data):
            size = FrameHeader(data[offset : offset + HEADER_BYTES]).size
            if offset + size > len(data):
                break
            offset += size
            self._frames += 1
        self._unread = data[offset:]


class _VorbisEncoder:
    _QUALITY: Final = 0.5  # libsndfile counts from 0 (best) to 1 (smallest)
    _STEP: Final = 1 << 16
    """Samples a call: libvorbis keeps what it is given on the stack."""

    def __init__(self, target: BinaryIO, format: Format, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._file = soundfile.SoundFile(
            target,
            "w",
            samplerate=sample_rate,
            channels=channels,
            format=format.upper(),
            subtype="VORBIS",
            closefd=False,
            compression_level=self._QUALITY,
        )

    def write(self, samples: Samples) -> None:
        frames = samples.reshape(-1, self._channels)
        for start in range(0, len(frames), self._STEP):
            self._file.write(frames[start : start + self._STEP])

    def close(self) -> None:
        self._file.close()


_ENCODERS: Final[dict[Format, Callable[[BinaryIO, Format, int, int], _Encoder]]] = {
    "mp3": _Mp3Encoder,
    "wav": _WavEncoder,
    "ogg": _VorbisEncoder,
}
