"""Makes a recording's files from its tracks, in one pass and in constant memory.

``mixed`` gives one mono mp3 of both parties; ``dual`` a stereo mp3 (agent left, customer right) and
a wav of each, and a wav of each one's translation where the call was translated. Every file begins
at the session's zero and has the same length.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

import numpy as np

from recordings_app.channels import TRANSLATIONS, VOICES, Channel
from recordings_app.media.checksums import measure
from recordings_app.media.encoding import AudioWriter
from recordings_app.media.formats import Format, fitting_rate
from recordings_app.spool.reader import TrackSurvey, blocks
from sessions_app.media import Samples

BLOCK_SECONDS: Final = 10
PEAKS: Final = 1200
"""Bars of the waveform on the dashboard, for a call of any length."""


@dataclass(slots=True)
class MadeFile:
    """A finished temporary file. The system deletes it when the process ends."""

    channel: Channel | Literal["mixed"]
    format: Format
    sample_rate: int
    channels: int
    content: BinaryIO
    size: int
    sha256: str

    def rewound(self) -> BinaryIO:
        self.content.seek(0)
        return self.content


@dataclass(slots=True)
class MadeRecording:
    """``duration`` in seconds. ``peaks``: of each track, 0 to 100, loudest in each bar."""

    duration: float
    sample_rate: int
    peaks: dict[str, list[int]]
    files: list[MadeFile]


def make(
    tracks: Mapping[str, TrackSurvey],
    *,
    dual: bool,
    translated: bool = False,
    duration: float,
    workspace: Path,
    progress: Callable[[], None] = lambda: None,
) -> MadeRecording:
    """The files of a recording. ``duration`` is the session's; longer audio makes it longer.

    Args:
        translated: with ``dual``, also the files of the translations.
        workspace: a directory with room for the files; they are unnamed there.
        progress: called every few seconds of work; may raise to stop it.
    """
    duration = max([duration, *(track.end for track in tracks.values())])
    rate = fitting_rate(max((track.sample_rate for track in tracks.values()), default=0))
    total = round(duration * rate)
    size = BLOCK_SECONDS * rate
    recorded: list[Channel] = [*VOICES, *(TRANSLATIONS if translated else ())]
    peaks = {channel: _Peaks(total) for channel in recorded}
    channels: list[tuple[Channel | Literal["mixed"], Format, int]] = [("mixed", "mp3", 1)]
    if dual:
        channels = [("mixed", "mp3", 2), *((channel, "wav", 1) for channel in recorded)]
    targets = [workspace_file(workspace) for _ in channels]
    with ExitStack() as stack:
        writers = {
            channel: stack.enter_context(AudioWriter(target, format, rate, count))
            for (channel, format, count), target in zip(channels, targets, strict=True)
        }
        streams = [
            blocks(
                tracks[channel].parts if channel in tracks else [],
                rate=rate,
                total=total,
                size=size,
            )
            for channel in recorded
        ]
        for samples in zip(*streams, strict=True):
            block = dict(zip(recorded, samples, strict=True))
            for channel in recorded:
                peaks[channel].add(block[channel])
                if dual:
                    writers[channel].write(block[channel])
            agent, customer = block["agent"], block["customer"]
            if dual:
                writers["mixed"].write(np.stack([agent, customer], axis=1).ravel())
            else:
                writers["mixed"].write(_mixed(agent, customer))
            progress()
    files = [
        MadeFile(channel, format, rate, count, target, *measure(target))
        for (channel, format, count), target in zip(channels, targets, strict=True)
    ]
    return MadeRecording(duration, rate, {name: each.bars() for name, each in peaks.items()}, files)


def workspace_file(workspace: Path) -> BinaryIO:
    """A temporary file without a name: nothing is left behind by a crash."""
    workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cast(BinaryIO, tempfile.TemporaryFile(dir=workspace))


def _mixed(agent: Samples, customer: Samples) -> Samples:
    both = agent.astype(np.int32) + customer
    return cast(Samples, np.clip(both, -32768, 32767).astype(np.int16))


class _Peaks:
    def __init__(self, total: int) -> None:
        self._step = max(1, -(-total // PEAKS))
        self._loudest = np.zeros(-(-total // self._step), np.int32)
        self._position = 0

    def add(self, samples: Samples) -> None:
        bars = (np.arange(len(samples)) + self._position) // self._step
        starts = np.flatnonzero(np.diff(bars, prepend=-1))
        loudest = np.maximum.reduceat(np.abs(samples.astype(np.int32)), starts)
        np.maximum.at(self._loudest, bars[starts], loudest)
        self._position += len(samples)

    def bars(self) -> list[int]:
        return [int(value) for value in np.minimum(self._loudest * 100 // 32767, 100)]
