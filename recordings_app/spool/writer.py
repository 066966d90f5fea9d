"""The audio tap that records: it writes every placed frame to the track's spool first of all.

``write`` runs on the event loop for every frame of every call: one pack and one ``write(2)`` into
the page cache, which survives the process. The syncer waits for the disk.
"""

import contextlib
import errno
import logging
import os
from typing import Final

from recordings_app.channels import TRANSLATION_FOR
from recordings_app.media import encryption
from recordings_app.spool.durability import DiskSyncer, syncer
from recordings_app.spool.format import (
    FAILED,
    FAILED_OFFSET,
    Record,
    pack_header,
    pack_record,
)
from recordings_app.spool.parts import UNNAMED, PartName, local_parts, lock, part_path
from sessions_app.live_events import StreamWarning
from sessions_app.media import PlacedFrame
from sessions_app.streaming.hearing.taps import TrackContext

log = logging.getLogger(__name__)

PART_SECONDS: Final = 60.0
"""Seconds of audio in a part. Where parts are uploaded, a lost machine loses at most this much."""

RETRY_SECONDS: Final = 1.0


class PartWriter:
    """One part, locked while it is open. Raises OSError on any error of the disk."""

    def __init__(self, session_id: str, part: PartName, disk: DiskSyncer) -> None:
        path = part_path(session_id, part)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unnamed = path.with_name(path.name + UNNAMED)
        self._disk = disk
        self._encryptor = encryption.Encryptor() if encryption.is_enabled() else None
        # Not O_APPEND: ``fail`` writes into the header.
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._descriptor = os.open(unnamed, flags, 0o600)
        try:
            lock(self._descriptor)
            self._append(pack_header(self._encryptor))
            os.rename(unnamed, path)  # noqa: PTH104  # Path.rename is the same call, slower
        except OSError:
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                unnamed.unlink(missing_ok=True)
            raise
        disk.created(path)

    def append(self, record: Record) -> None:
        self._append(pack_record(record, self._encryptor))
        self._disk.written(self._descriptor)

    def _append(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written < len(data):
            # A full disk takes part of the data; writing the rest raises the error that says so.
            written += os.write(self._descriptor, data[written:])
        if written < len(data):
            raise OSError(errno.ENOSPC, "the disk took only part of a frame")

    def fail(self) -> None:
        """Mark the part for assembly: audio is missing from here on."""
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, FAILED, FAILED_OFFSET)

    def close(self) -> None:
        self._disk.close(self._descriptor)


class SpoolTap:
    """Records a party's voice, or what is spoken to it, for as long as one owner holds its track.

    Never raises: the call goes on.
    """

    def __init__(self, context: TrackContext, disk: DiskSyncer = syncer) -> None:
        self._context = context
        self._channel: str = context.speaker
        if context.made_speech:
            self._channel = TRANSLATION_FOR[context.speaker]
        self._disk = disk
        self._part: PartWriter | None = None
        self._part_end = 0.0
        self._number = 0
        self._failed = False
        self._closed = False
        self._retry_at = 0.0
        # A generation writes a part even without audio, which shows that no part is missing.
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def write(self, frame: PlacedFrame) -> None:
        if self._failed or self._closed:
            if self._part is None and not self._closed:
                self._mark_missing(frame.start)
            return
        try:
            if frame.start >= self._part_end:
                self._roll(frame.start)
            assert self._part is not None
            self._part.append(
                Record(
                    frame.format,
                    round(frame.start * frame.format.sample_rate),
                    frame.payload,
                    frame.segment_id,
                )
            )
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        self._closed = True
        if self._part is not None:
            self._part.close()
            self._part = None

    def _first_number(self) -> int:
        """Start after any part there is, though a generation has one owner: overwrite nothing."""
        context = self._context
        numbers = [
            part.number
            for part in local_parts(context.session_id)
            if part.channel == self._channel and part.generation == context.generation
        ]
        return max(numbers, default=0) + 1

    def _roll(self, start: float) -> None:
        """Open the next part before the last one is closed (see ``parts``)."""
        if self._part_end:
            previous = self._part
            self._open()
            if previous is not None:
                previous.close()
        self._part_end = start + PART_SECONDS

    def _open(self) -> None:
        self._number = self._number + 1 if self._number else self._first_number()
        name = PartName(self._channel, self._context.generation, self._number)
        self._part = PartWriter(self._context.session_id, name, self._disk)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        if self._part is not None:
            self._part.fail()
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        log.error("the recording of %s has stopped: %s", self._context.session_id, reason)
        what = "translation's recording" if self._context.made_speech else "recording"
        self._context.warn(
            StreamWarning(
                "recording_failed",
                f"The {what} cannot be written and has stopped; the call goes on.",
                self._context.speaker,
            )
        )

    def _mark_missing(self, now: float) -> None:
        """No part could be created: as soon as one can, write into it that audio is missing."""
        if now < self._retry_at:
            return
        self._retry_at = now + RETRY_SECONDS
        with contextlib.suppress(OSError):
            self._open()
        if self._part is not None:
            self._part.fail()


def spool_tap(context: TrackContext) -> SpoolTap | None:
    """The tap factory that the app registers."""
    return SpoolTap(context) if context.recording_enabled else None
