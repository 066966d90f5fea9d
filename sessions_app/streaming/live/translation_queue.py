"""Stores one session's translations, each after its segment, and retries until they are stored."""

import asyncio
import logging
from typing import Final

from sessions_app.live_events import TranslationFinal
from sessions_app.services.translations import SegmentTranslation, segments_translate
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live.segment_queue import SegmentQueue, is_refusal

log = logging.getLogger(__name__)

LONGEST_BACKOFF: Final = 5.0
"""Seconds between two attempts while the database is unavailable."""

UNKNOWN_ATTEMPTS: Final = 5
"""Attempts for a segment that is not stored: it was refused, or its session was erased."""


class TranslationQueue:
    """Its task runs only while translations wait."""

    def __init__(self, session_id: str, segments: SegmentQueue) -> None:
        self._session_id = session_id
        self._segments = segments
        self._pending: list[TranslationFinal] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, translation: TranslationFinal) -> None:
        self._pending.append(translation)
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything added so far is stored."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _write(self) -> None:
        try:
            while self._pending:
                await self._segments.flush()
                group, self._pending = self._pending, []
                await self._store(
                    [
                        SegmentTranslation(each.segment_id, each.language, each.text)
                        for each in group
                    ]
                )
        finally:
            self._task = None

    async def _store(self, translations: list[SegmentTranslation]) -> None:
        backoff, attempts = 0.2, 0
        while translations:
            try:
                translations = await in_database(
                    segments_translate, session_id=self._session_id, translations=translations
                )
            except Exception as error:
                if is_refusal(error):
                    await self._store_each(translations, error)
                    return
                log.error(  # noqa: TRY400, RUF100 - a database error may quote what was said
                    "could not store %d translations of %s: %s",
                    len(translations),
                    self._session_id,
                    type(error).__name__,
                )
            else:
                attempts += 1
                if not translations or attempts == UNKNOWN_ATTEMPTS:
                    return
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _store_each(self, translations: list[SegmentTranslation], error: Exception) -> None:
        """The database refuses one of them: drop that one."""
        if len(translations) > 1:
            for each in translations:
                await self._store([each])
            return
        log.error(
            "dropped a translation of %s, which the database refuses: %s",
            translations[0].segment_id,
            type(error).__name__,
        )
