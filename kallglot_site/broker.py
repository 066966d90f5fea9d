"""The broker of the small size: files in a folder, safe between processes and after a kill.

Kombu's file-system transport creates a message's file under its final name and fills it afterwards,
so that a worker that looks in between takes an empty message and dies of it; a table of queues that
was being written when the process was killed stays unreadable for ever. Here both appear whole or
not at all, and one that is broken all the same (a power cut) is passed over: a message is only a
doorbell, and a table is written again by whoever binds a queue next.
"""

import fcntl
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


class Channel(filesystem.Channel):
    """One process's way to the folders that ``CELERY_BROKER_TRANSPORT_OPTIONS`` names."""

    def _put(  # type: ignore[override]  # its two bases disagree on a name
        self, queue: str, payload: Any, **_: Any
    ) -> None:
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str, *_: Any, **__: Any) -> Any:
        while True:
            try:
                return super()._get(queue)
            except ValueError:  # its file is gone by now: the next one is another
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
        with _alone(file.parent / "binding.lock"):
            table = self.get_table(exchange)
            if binding not in table:
                _write(file, [binding, *table])


class Transport(filesystem.Transport):
    """What ``CELERY_BROKER_TRANSPORT`` names."""

    Channel = Channel


def _write(file: Path, content: Any) -> None:
    """Write it aside, then give it its name: whoever reads by name reads all of it."""
    aside = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    aside.write_text(dumps(content))
    aside.replace(file)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time; the lock dies with its holder."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
