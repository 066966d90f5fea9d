"""Stores one session's finals in groups and in order, whatever the database refuses."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from django.db import DataError, Error, IntegrityError

from sessions_app.live_events import StreamWarning
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

    Args:
        warn: called when a final was dropped, because the database can never store it.
    """

    def __init__(self, session_id: str, warn: Callable[[StreamWarning], None]) -> None:
        self._session_id = session_id
        self._warn = warn
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
        """Store a group. If one of its finals is refused, the halves are stored one after the
        other, so that only that final is lost."""
        refusal = await self._append(spoken)
        if refusal is None:
            return
        if len(spoken) == 1:
            self._drop(spoken[0], refusal)
            return
        middle = len(spoken) // 2
        await self._store(spoken[:middle])
        await self._store(spoken[middle:])

    async def _append(self, spoken: list[SpokenSegment]) -> Exception | None:
        """Retries until the database has answered. Returns why it refused the group; None: stored.

        Storing a final twice changes nothing.
        """
        backoff = 0.2
        while True:
            try:
                await in_database(segments_append, session_id=self._session_id, spoken=spoken)
            except Exception as error:
                if is_refusal(error):
                    return error
                log.error(  # noqa: TRY400, RUF100 - a database error may quote what was said
                    "could not store %d segments of %s: %s",
                    len(spoken),
                    self._session_id,
                    type(error).__name__,
                )
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF)
            else:
                return None

    def _drop(self, spoken: SpokenSegment, refusal: Exception) -> None:
        final = spoken.final
        log.error(
            "dropped segment %s of %s, which the database refuses: %s",
            final.id,
            self._session_id,
            type(refusal).__name__,
        )
        message = (
            f"The speech from {final.start_time:.1f} s to {final.end_time:.1f} s could not be "
            "stored, and is missing from the transcript."
        )
        self._warn(StreamWarning("transcription_failed", message, final.speaker))


def is_refusal(error: Exception) -> bool:
    """Whether the data is at fault, so that another attempt with the same data fails too."""
    if isinstance(error, DataError | IntegrityError):
        return True
    if isinstance(error, Error):
        # PostgreSQL's limits, as for the words of one text, are reported as operational errors.
        sqlstate = getattr(error.__cause__, "sqlstate", None) or ""
        return bool(sqlstate.startswith("54"))
    # No thread or socket to be had is not the data's fault. What a driver cannot convert is.
    return not isinstance(error, OSError | RuntimeError)
