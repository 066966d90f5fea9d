"""Whether ``manage.py up`` is running on this data directory, and where it serves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from filelock import FileLock, Timeout


class AlreadyRunning(Exception):
    """Another `up` holds the data directory."""


@contextmanager
def data_directory_held() -> Iterator[None]:
    """Allow one `up` per data directory. The lock ends with the process, even after a kill."""
    lock = _lock()
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning from None
    try:
        yield
    finally:
        _state_file().unlink(missing_ok=True)
        lock.release()


def running_at(url: str) -> None:
    """Write the URL of this `up` for other commands."""
    _state_file().write_text(json.dumps({"url": url}))


def running_url() -> str | None:
    """The URL of the `up` of this data directory, which may still be starting, or None."""
    try:
        with _lock().acquire(timeout=0):
            return None
    except Timeout:
        try:
            return str(json.loads(_state_file().read_text())["url"])
        except (OSError, ValueError, KeyError):
            return None


def _lock() -> FileLock:
    return FileLock(settings.DATA_DIR / "up.lock")


def _state_file() -> Path:
    return Path(settings.DATA_DIR) / "up.json"
