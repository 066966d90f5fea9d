"""Makes spools survive a power cut: one thread calls fsync, so that no frame waits for the disk.

What a process has written survives a crash of the process without this, but not a power cut. Each
open part is synced within ``INTERVAL`` seconds of its latest write, and once more on closing.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

INTERVAL: Final = 1.0


class DiskSyncer:
    """Descriptors given to ``close`` belong to the syncer: it syncs and then closes them."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._wake = threading.Condition()
        self._dirty: set[int] = set()
        self._closing: list[int] = []
        self._directories: set[Path] = set()
        self._thread: threading.Thread | None = None
        self._busy = False

    def created(self, path: Path) -> None:
        """A file was created at this path: sync the directory too, which holds its name."""
        with self._wake:
            self._directories.update((path.parent, path.parent.parent))
            self._start()

    def written(self, descriptor: int) -> None:
        """Note that the descriptor has unsynced data. Cheap: called for every frame."""
        if descriptor in self._dirty:
            return
        with self._wake:
            self._dirty.add(descriptor)
            self._start()

    def close(self, descriptor: int) -> None:
        with self._wake:
            self._dirty.discard(descriptor)
            self._closing.append(descriptor)
            self._start()
            self._wake.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything closed so far is on disk. For shutdown and tests."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._closing and not self._busy, timeout)

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="spool-sync", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._closing), self._interval)
                # Duplicated: the original may be closed, and its number reused, before the sync.
                dirty = [os.dup(descriptor) for descriptor in self._dirty]
                closing, self._closing = self._closing, []
                self._dirty.clear()
                directories, self._directories = self._directories, set()
                self._busy = bool(closing)
            for descriptor in (*dirty, *closing):
                with contextlib.suppress(OSError):
                    os.fdatasync(descriptor)
                os.close(descriptor)
            for directory in directories:
                _sync_directory(directory)
            with self._wake:
                self._busy = False
                self._wake.notify_all()


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


syncer = DiskSyncer()
