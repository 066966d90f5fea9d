"""The audio tap that records: every placed frame into the track's spool, before anything else can
go wrong.

``write`` runs on the event loop for every frame of every call: one pack, one ``write(2)`` into the
page cache, which outlives the process. Waiting for the disk is the syncer's part.
"""

import contextlib
import errno
import logging
import os
from typing import Final

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
"""Audio in one part: what a lost machine may take with it where parts are uploaded."""

RETRY_SECONDS: Final = 1.0


class PartWriter:
    """One part, locked as long as it is open. Raises OSError whenever the disk does."""

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
            # A disk that is filling up takes a part; asking for the rest tells why.
            written += os.write(self._descriptor, data[written:])
        if written < len(data):
            raise OSError(errno.ENOSPC, "the disk took only part of a frame")

    def fail(self) -> None:
        """Leave word, for whoever assembles, that audio is missing from here on."""
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, FAILED, FAILED_OFFSET)

    def close(self) -> None:
        self._disk.close(self._descriptor)


class SpoolTap:
    """Records one track for as long as one owner holds it. Never raises: the call goes on."""

    def __init__(self, context: TrackContext, disk: DiskSyncer = syncer) -> None:
        self._context = context
        self._disk = disk
        self._part: PartWriter | None = None
        self._part_end = 0.0
        self._number = 0
        self._failed = False
        self._closed = False
        self._retry_at = 0.0
        # A generation leaves a part even if it hears nothing: it shows that nothing is missing.
        try:
            self._open()
        except OSError as error:
            self._fail(error)

    def write(self, frame: PlacedFrame) -> None:
        if self._failed or self._closed:
            if self._part is None and not self._closed:
                self._leave_word(frame.start)
            return
        try:
            if frame.start >= self._part_end:
                self._roll(frame.start)
            assert self._part is not None
            self._part.append(
                Record(frame.format, round(frame.start * frame.format.sample_rate), frame.payload)
            )
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        self._closed = True
        if self._part is not None:
            self._part.close()
            self._part = None

    def _first_number(self) -> int:
        """A generation belongs to one owner, but never write over what is there."""
        context = self._context
        numbers = [
            part.number
            for part in local_parts(context.session_id)
            if part.speaker == context.speaker and part.generation == context.generation
        ]
        return max(numbers, default=0) + 1

    def _roll(self, start: float) -> None:
        """The next part is there before the last one is let go: see ``parts``."""
        if self._part_end:
            previous = self._part
            self._open()
            if previous is not None:
                previous.close()
        self._part_end = start + PART_SECONDS

    def _open(self) -> None:
        self._number = self._number + 1 if self._number else self._first_number()
        name = PartName(self._context.speaker, self._context.generation, self._number)
        self._part = PartWriter(self._context.session_id, name, self._disk)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        if self._part is not None:
            self._part.fail()
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        log.error("the recording of %s has stopped: %s", self._context.session_id, reason)
        self._context.warn(
            StreamWarning(
                "recording_failed",
                "The recording cannot be written and has stopped; the call goes on.",
                self._context.speaker,
            )
        )

    def _leave_word(self, now: float) -> None:
        """Not even a part could be made: as soon as one can, it says that audio is missing."""
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
