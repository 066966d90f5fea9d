"""Stores one session's finals in groups, and retries until the database has them."""

import asyncio
import logging
import time
from typing import Final

from sessions_app.services.segments import SpokenSegment, segments_append
from sessions_app.streaming import metrics
from sessions_app.streaming.database import in_database

log = logging.getLogger(__name__)

LONGEST_BACKOFF: Final = 5.0
"""Seconds between two attempts while the database is unavailable."""


class SegmentQueue:
    """Its task runs only while finals wait.

    A final is written in the same turn of the event loop. Finals that come during a commit share
    the next one, so grouping adds no latency.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._pending: list[tuple[SpokenSegment, float]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, spoken: SpokenSegment) -> None:
        self._pending.append((spoken, time.perf_counter()))
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything added so far is stored."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _write(self) -> None:
        try:
            while self._pending:
                group, self._pending = self._pending, []
                await self._store([spoken for spoken, _ in group])
                for _, since in group:
                    metrics.SEGMENT_COMMIT.observe(time.perf_counter() - since)
        finally:
            self._task = None

    async def _store(self, spoken: list[SpokenSegment]) -> None:
        backoff = 0.2
        while True:
            try:
                await in_database(segments_append, session_id=self._session_id, spoken=spoken)
            except Exception as error:
                # The database is unavailable: retry. Storing a final twice changes nothing.
                log.error(  # noqa: TRY400, RUF100 - a database error may quote what was said
                    "could not store %d segments of %s: %s",
                    len(spoken),
                    self._session_id,
                    type(error).__name__,
                )
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
            else:
                return
