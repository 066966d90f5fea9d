"""A follower of a live session that remembers everything it is told, in order."""

import asyncio
from collections.abc import Callable
from typing import Any

from sessions_app.live_events import FinalTranscript, SpokenEvent
from sessions_app.session_view import SessionView


class Recorder:
    """A ``fanout.Follower``. ``after`` is the sequence of the latest segment it knows."""

    def __init__(self, after: int | None = None) -> None:
        self.seen = after
        self.seen_translation: int | None = None
        self.events: list[SpokenEvent] = []
        self.views: list[SessionView | None] = []
        self._told = asyncio.Event()

    def deliver(self, event: SpokenEvent) -> None:
        self.events.append(event)
        self._told.set()

    def observe(self, view: SessionView | None) -> None:
        self.views.append(view)
        self._told.set()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, FinalTranscript)]

    async def until(self, reached: Callable[["Recorder"], Any]) -> None:
        """Wait until what it was told makes ``reached`` true."""
        async with asyncio.timeout(10):
            while not reached(self):
                self._told.clear()
                await self._told.wait()
