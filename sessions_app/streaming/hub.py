"""Fans a session's news out to its connections, on every server, and to dashboard sockets.

The database is the truth. What travels between processes says "look again" and may be lost: a
room rereads the session and its segments from there, and polls every few seconds besides. Only
partials and speech events travel themselves, best effort, for nothing depends on them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from sessions_app.streaming.bells import Bells, install, ring
from sessions_app.streaming.clock import SystemClock
from sessions_app.streaming.database import in_database
from sessions_app.streaming.events import PartialTranscript
from sessions_app.streaming.monitors import Monitors
from sessions_app.streaming.news import (
    SEGMENTS_PER_LOOK,
    SessionState,
    SessionView,
    SpokenEvent,
    session_states,
    session_view,
)
from sessions_app.streaming.protocols.base import SessionEnded, SessionPaused, SessionResumed
from sessions_app.streaming.relay import LayerRelay

__all__ = ["Hub", "Subscription", "TooSlow", "get_hub", "ring", "subscribe"]

log = logging.getLogger(__name__)

POLL: Final = 2.0
"""Seconds between looks at every session that has listeners here, doorbell or not."""

REMEMBERED_FINALS: Final = 64
SUBSCRIPTION_SIZE: Final = 256

HubEvent = SpokenEvent | SessionPaused | SessionResumed | SessionEnded


class Listener(Protocol):
    """Whoever follows a session in this process. Both calls are made on the event loop and must
    return at once. ``seen`` is the sequence of the latest segment delivered; None: start now."""

    seen: int | None

    def deliver(self, event: SpokenEvent) -> None:
        """Something was said, or is being said."""

    def observe(self, view: SessionView | None) -> None:
        """The session as it now stands; None: it was erased. Of many segments only the first have
        been delivered by then (``SessionView.is_told``)."""


class Room:
    """The listeners of one session in this process."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.listeners: list[Listener] = []
        self.state: SessionState | None = None
        self.restless = False
        """Whether to look on every poll: something is awaited that no column of the session
        tells (other servers applying a pause, or letting go of their tracks), or a look failed."""
        self._finals: deque[str] = deque(maxlen=REMEMBERED_FINALS)
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def look(self) -> None:
        """Reread the session soon; many wishes become one look."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def refresh(self) -> None:
        """Wait for a look that began after this call. One that fails counts as well."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.look()
        await waiter

    async def _run(self) -> None:
        while self._wanted and self.listeners:
            self._wanted = False
            waiters, self._waiters = self._waiters, []
            try:
                await self._look()
            finally:
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(None)

    async def _look(self) -> None:
        asking = list(self.listeners)
        after = [each.seen for each in asking if each.seen is not None]
        try:
            view = await in_database(session_view, self.session_id, min(after, default=None))
            # Who came meanwhile knows newer things, its own claim among them: it gets its own.
            self._wanted = self._wanted or any(each not in asking for each in self.listeners)
            self._apply(view, [each for each in asking if each in self.listeners])
        except Exception:
            # Never fatal, and nobody may be left with what was true before: the poll looks again.
            log.exception("could not reread session %s", self.session_id)
            self.restless = True

    def _apply(self, view: SessionView | None, listeners: list[Listener]) -> None:
        if view is None:
            for listener in listeners:
                listener.observe(None)
            return
        self.state = view.state
        for listener in listeners:
            if listener.seen is None:
                listener.seen = view.state.segment_count
            for sequence, final in view.segments:
                if sequence > listener.seen:
                    listener.seen = sequence
                    listener.deliver(final)
        self._finals.extend(final.id for _, final in view.segments)
        if len(view.segments) == SEGMENTS_PER_LOOK:
            self._wanted = True
        settled = view.pause_settled and not (view.state.ended and not view.state.complete)
        self.restless = not settled
        for listener in listeners:
            listener.observe(view)

    def deliver(self, event: SpokenEvent) -> None:
        # A partial from another server may arrive after its final has been read here.
        if isinstance(event, PartialTranscript) and event.id in self._finals:
            return
        for listener in list(self.listeners):
            listener.deliver(event)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class Hub:
    """This process's rooms. Belongs to one event loop; see ``get_hub``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._rooms: dict[str, Room] = {}
        self._bells = Bells(self._heard_look, self._heard_event)
        self.monitors = Monitors(LayerRelay, SystemClock())
        self._poller: asyncio.Task[None] | None = None

    def join(self, session_id: str, listener: Listener) -> None:
        room = self._rooms.get(session_id)
        if room is None:
            room = self._rooms[session_id] = Room(session_id)
            self._bells.listen(session_id)
        room.listeners.append(listener)
        if self._poller is None or self._poller.done():
            self._poller = self.loop.create_task(self._poll())

    def leave(self, session_id: str, listener: Listener) -> None:
        room = self._rooms.get(session_id)
        if room is None or listener not in room.listeners:
            return
        room.listeners.remove(listener)
        if not room.listeners:
            del self._rooms[session_id]
            room.stop()
            self._bells.unlisten(session_id)

    def look(self, session_id: str) -> None:
        """Reread the session for its listeners in this process."""
        if (room := self._rooms.get(session_id)) is not None:
            room.look()

    async def refresh(self, session_id: str) -> None:
        """Reread the session now, and return when its listeners have been told."""
        if (room := self._rooms.get(session_id)) is not None:
            await room.refresh()

    def look_threadsafe(self, session_id: str) -> bool:
        """From any thread. False: this hub's loop is gone."""
        try:
            self.loop.call_soon_threadsafe(self.look, session_id)
        except RuntimeError:
            return False
        return True

    def publish(self, session_id: str, event: SpokenEvent) -> None:
        """Tell everyone, best effort. Never for finals: those are read from the database."""
        if (room := self._rooms.get(session_id)) is not None:
            room.deliver(event)
        self._bells.send_event(session_id, event)

    def _heard_look(self, session_id: str) -> None:
        self.look(session_id)

    def _heard_event(self, session_id: str, event: SpokenEvent) -> None:
        if (room := self._rooms.get(session_id)) is not None:
            room.deliver(event)

    async def _poll(self) -> None:
        while self._rooms:
            await asyncio.sleep(POLL)
            try:
                states = await in_database(session_states, list(self._rooms))
            except Exception:
                log.exception("could not poll the sessions followed here")
                continue
            for session_id, room in list(self._rooms.items()):
                if room.restless or states.get(session_id) != room.state:
                    room.look()

    async def close(self) -> None:
        """Returns once nothing comes from other processes any more."""
        for room in self._rooms.values():
            room.stop()
        self._rooms.clear()
        if self._poller is not None:
            self._poller.cancel()
        await self._bells.close()
        await self.monitors.close()


_hub: Hub | None = None


def get_hub() -> Hub:
    """The hub of the running event loop, made on first use."""
    global _hub
    loop = asyncio.get_running_loop()
    if _hub is None or _hub.loop is not loop:
        _hub = Hub(loop)
        install(_hub.look_threadsafe)
    return _hub


# --- for other consumers ------------------------------------------------------------------------


class TooSlow(Exception):
    """The subscriber did not keep up: start over from the database."""


class Subscription:
    """An async iterator of one session's events, bounded. See ``subscribe``."""

    def __init__(self, after: int | None) -> None:
        self.seen = after
        self._queue: asyncio.Queue[HubEvent | None] = asyncio.Queue(SUBSCRIPTION_SIZE)
        self._overflowed = False
        self._paused = False
        self._ended = False

    def deliver(self, event: HubEvent | None) -> None:
        if self._queue.full():
            self._overflowed = True
        else:
            self._queue.put_nowait(event)

    def observe(self, view: SessionView | None) -> None:
        if view is None:
            self.deliver(None)
            return
        if view.pause_settled and view.state.recording_paused != self._paused:
            self._paused = view.state.recording_paused
            self.deliver(SessionPaused() if self._paused else SessionResumed())
        if view.state.ended and not self._ended:
            self._ended = True
            self.deliver(SessionEnded(view.state.end_reason or "completed", view.state.duration))
        if view.is_told(self.seen):
            self.deliver(None)

    def __aiter__(self) -> AsyncIterator[HubEvent]:
        return self

    async def __anext__(self) -> HubEvent:
        if self._overflowed and self._queue.empty():
            raise TooSlow
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event


@asynccontextmanager
async def subscribe(session_id: str, *, after: int | None = None) -> AsyncGenerator[Subscription]:
    """Follow one session from anywhere in this process; whether one may is the caller's to check.

    Yields the events as they happen: speech, partials, finals (``FinalTranscript``, once stored),
    translations, ``SessionPaused``, ``SessionResumed`` and ``SessionEnded``. Segments may follow
    the end; the iteration stops once the transcript is complete or the session is erased.

    Args:
        after: the ``sequence`` of the latest segment already known; later ones come first. None:
            only what happens from now on.

    Raises (while iterating):
        TooSlow: 256 events were waiting.
    """
    hub = get_hub()
    subscription = Subscription(after)
    hub.join(session_id, subscription)
    hub.look(session_id)
    try:
        yield subscription
    finally:
        hub.leave(session_id, subscription)
