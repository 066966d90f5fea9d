"""Commits finals as they come, grouped by session, and never gives one up."""

import asyncio
import logging
import time
from typing import Final

from sessions_app.lifecycle import SpokenSegment, segments_append
from sessions_app.streaming import metrics
from sessions_app.streaming.database import in_database

log = logging.getLogger(__name__)

LONGEST_BACKOFF: Final = 5.0


class SegmentWriter:
    """One task per session that has something to write; the next group gathers meanwhile.

    A final is on its way to the database within the same turn of the event loop: grouping costs
    no latency, it only happens while an earlier commit is under way.
    """

    def __init__(self) -> None:
        self._pending: dict[str, list[tuple[SpokenSegment, float]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, session_id: str, spoken: SpokenSegment) -> None:
        self._pending.setdefault(session_id, []).append((spoken, time.perf_counter()))
        if session_id not in self._tasks:
            self._tasks[session_id] = asyncio.create_task(self._write(session_id))

    async def flush(self, session_id: str) -> None:
        """Wait until everything added so far is stored."""
        if (task := self._tasks.get(session_id)) is not None:
            await asyncio.wait({task})

    async def _write(self, session_id: str) -> None:
        try:
            while group := self._pending.pop(session_id, None):
                await self._store(session_id, [spoken for spoken, _ in group])
                for _, since in group:
                    metrics.SEGMENT_COMMIT.observe(time.perf_counter() - since)
        finally:
            del self._tasks[session_id]

    async def _store(self, session_id: str, spoken: list[SpokenSegment]) -> None:
        backoff = 0.2
        while True:
            try:
                await in_database(segments_append, session_id=session_id, spoken=spoken)
            except Exception as error:
                # The database is away. What was said waits here; storing twice is harmless.
                log.error(  # noqa: TRY400, RUF100 - a database error may quote what was said
                    "could not store %d segments of %s: %s",
                    len(spoken),
                    session_id,
                    type(error).__name__,
                )
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
            else:
                return
