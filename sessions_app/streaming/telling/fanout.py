"""Sends the events of one session to its followers in this process.

Followers are told what is read from the database. A notification only says "read this session
again". It may be lost, so every session is polled too. Only partials and speech events are sent
directly, best effort, because nothing depends on them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sessions_app.live_events import PartialTranscript, SpokenEvent, TranslationPartial
from sessions_app.session_view import (
    SEGMENTS_PER_LOOK,
    SessionState,
    SessionView,
    session_view,
)
from sessions_app.streaming.database import in_database

log = logging.getLogger(__name__)

REMEMBERED_FINALS: Final = 64


class Observer(Protocol):
    """Is told the session's state. Called on the event loop: must return at once."""

    def observe(self, view: SessionView | None) -> None:
        """The session as just read; None: it was erased. If there are many new segments, only the
        first have been delivered by then (``SessionView.is_told``)."""


class Follower(Observer, Protocol):
    """Also receives events of speech. ``seen`` is the sequence of the latest segment delivered,
    ``seen_translation`` of the latest translation; None: deliver only new ones."""

    seen: int | None
    seen_translation: int | None

    def deliver(self, event: SpokenEvent) -> None:
        """A party has spoken or is speaking. Must return at once."""


class Fanout:
    """The followers of one session, and its observers, who are told first how it stands.

    Args:
        observers: returns the current ones, in the order in which they are told.
    """

    def __init__(self, session_id: str, observers: Callable[[], list[Observer]]) -> None:
        self.followers: list[Follower] = []
        self.state: SessionState | None = None
        """The session's columns as last read."""
        self.unsettled = False
        """Whether every poll reads the session: because a read failed, or because the session waits
        for another server to apply a pause or release its tracks, which its columns do not show."""
        self._session_id = session_id
        self._observers = observers
        self._finals: deque[str] = deque(maxlen=REMEMBERED_FINALS)
        self._wanted = False
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def deliver(self, event: SpokenEvent) -> None:
        """Send an event of speech to the followers."""
        # A partial from another server may arrive after its final has been read here.
        if isinstance(event, PartialTranscript) and event.id in self._finals:
            return
        if isinstance(event, TranslationPartial) and event.segment_id in self._finals:
            return
        for follower in list(self.followers):
            follower.deliver(event)

    def look(self) -> None:
        """Read the session again soon. Several requests become one read."""
        if self._stopped:
            return
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def refresh(self) -> None:
        """Wait for a read that begins after this call, even if that read fails."""
        if self._stopped:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.look()
        await waiter

    def stop(self) -> None:
        """Stop reading: there are no followers."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
        self._release(self._waiters)

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            waiters, self._waiters = self._waiters, []
            try:
                await self._look()
            finally:
                self._release(waiters)

    @staticmethod
    def _release(waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _look(self) -> None:
        observers, followers = self._observers(), list(self.followers)
        after = _lowest(each.seen for each in followers)
        after_translation = _lowest(each.seen_translation for each in followers)
        try:
            view = await in_database(session_view, self._session_id, after, after_translation)
            observing, following = self._observers(), self.followers
            # Observers that joined during the read may know newer state, such as their own claim.
            # They are told what the next read finds.
            self._wanted = (
                self._wanted
                or any(each not in observers for each in observing)
                or any(each not in followers for each in following)
            )
            self._apply(
                view,
                [each for each in observers if each in observing],
                [each for each in followers if each in following],
            )
        except Exception:
            # Followers may have outdated state: the next poll reads again.
            log.exception("could not read session %s again", self._session_id)
            self.unsettled = True

    def _apply(
        self, view: SessionView | None, observers: list[Observer], followers: list[Follower]
    ) -> None:
        if view is not None:
            self._deliver_segments(view, followers)
            self._deliver_translations(view, followers)
            settled = view.pause_settled and not (view.state.ended and not view.state.complete)
            self.unsettled = not settled
        for observer in (*observers, *followers):
            observer.observe(view)

    def _deliver_segments(self, view: SessionView, followers: list[Follower]) -> None:
        self.state = view.state
        for follower in followers:
            seen = view.state.segment_count if follower.seen is None else follower.seen
            follower.seen = seen
            for sequence, final in view.segments:
                if sequence > seen:
                    follower.seen = sequence
                    follower.deliver(final)
        self._finals.extend(final.id for _, final in view.segments)
        if len(view.segments) == SEGMENTS_PER_LOOK:
            self._wanted = True

    def _deliver_translations(self, view: SessionView, followers: list[Follower]) -> None:
        latest = view.state.translation_count
        for follower in followers:
            seen = latest if follower.seen_translation is None else follower.seen_translation
            follower.seen_translation = seen
            for sequence, translation in view.translations:
                if sequence > seen:
                    follower.seen_translation = sequence
                    follower.deliver(translation)
        if view.translations and view.translations[-1][0] < latest:
            self._wanted = True


def _lowest(numbers: Iterable[int | None]) -> int | None:
    return min((each for each in numbers if each is not None), default=None)
