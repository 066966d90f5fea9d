"""The broker of small installations: files in a folder, written atomically.

Kombu's file-system transport creates a message's file under its final name and fills it afterwards,
so a worker that reads it in between gets an empty message and crashes. A table of queues whose
writer was killed stays unreadable for ever. Here both are written completely or not at all. A file
that a power cut has damaged is skipped: a message only wakes a worker, and the next process that
binds a queue writes the table again. Expired messages are deleted even if no worker runs, because
the clock's messages would fill the disk.
"""

import datetime
import fcntl
import math
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from kombu.transport import filesystem
from kombu.utils.json import dumps

log = structlog.get_logger(__name__)

_EXPIRES = re.compile(r"_expires-(\d+)\.")


class Channel(filesystem.Channel):
    """Reads and writes messages in the folders that ``CELERY_BROKER_TRANSPORT_OPTIONS`` names."""

    def _put(  # type: ignore[override]  # its two bases disagree on a name
        self, queue: str, payload: Any, **_: Any
    ) -> None:
        folder = Path(self.data_folder_out)
        _delete_expired(folder)
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}{_expiry(payload)}.{queue}.msg"
        _write(folder / name, payload)

    def _get(self, queue: str, *_: Any, **__: Any) -> Any:
        while True:
            try:
                return super()._get(queue)
            except ValueError:  # the broken message's file is deleted by now
                log.warning("broker.unreadable_message", queue=queue)

    def get_table(self, exchange: str) -> list[Any]:
        try:
            table: list[Any] = super().get_table(exchange)
        except ValueError:
            return []
        return table

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # newer than its stubs
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file.parent / "binding.lock"):
            table = self.get_table(exchange)
            if binding not in table:
                _write(file, [binding, *table])


class Transport(filesystem.Transport):
    """What ``CELERY_BROKER_TRANSPORT`` names."""

    Channel = Channel


def _expiry(payload: Any) -> str:
    """Part of a message's file name: when it expires, in Unix seconds. Empty: never.

    It must hold no full stop: Kombu takes what follows the first one for the queue.
    """
    headers = payload.get("headers") if isinstance(payload, dict) else None
    expires = (headers or {}).get("expires")
    if not expires:
        return ""
    return f"_expires-{math.ceil(datetime.datetime.fromisoformat(expires).timestamp())}"


def _delete_expired(folder: Path) -> None:
    """File names hold the expiry, so no file is read. Few remain: all expire within an hour."""
    now = time.time()
    for file in folder.glob("*_expires-*.msg"):
        found = _EXPIRES.search(file.name)
        if found and int(found[1]) < now:
            file.unlink(missing_ok=True)  # a worker may have taken it just now


def _write(file: Path, content: Any) -> None:
    """Write under another name, then rename: readers see the whole file or none."""
    aside = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    aside.write_text(dumps(content))
    aside.replace(file)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One process at a time. A killed process frees the lock."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
