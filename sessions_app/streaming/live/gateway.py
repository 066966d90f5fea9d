"""The live sessions of one process: heartbeat, poll, capacity, and draining."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from django.conf import settings

from sessions_app import signals
from sessions_app.clock import Clock, SystemClock
from sessions_app.engines.base import Synthesizer, Transcriber, Translator
from sessions_app.live_events import SpokenEvent
from sessions_app.services.claims import tracks_beat
from sessions_app.session_view import session_states
from sessions_app.streaming import metrics
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live.context import ProcessContext
from sessions_app.streaming.live.session import LiveSession, OpenConnection
from sessions_app.streaming.live.track import LiveTrack
from sessions_app.streaming.telling.channel_layer import LayerSubscription
from sessions_app.streaming.telling.monitors import Monitors
from sessions_app.streaming.telling.relay import LayerRelay

log = logging.getLogger(__name__)

HEARTBEAT: Final = 1.0
"""Seconds between two renewals of the leases and positions of all tracks, in one go."""

POLL: Final = 2.0
"""Seconds between two polls of all sessions live here, in case a notification was lost."""

DELAY_TOLD: Final = 5.0
"""Expected wait for a final, in seconds, from which a new connection is warned."""

DELAY_REFUSED: Final = 120.0
"""Expected wait, in seconds, from which new speakers are refused."""


class Gateway:
    """Belongs to the event loop in which it is made."""

    def __init__(
        self,
        *,
        transcriber: Transcriber,
        translator: Translator | None = None,
        synthesizer: Synthesizer | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.context = ProcessContext(
            transcriber, clock or SystemClock(), translator=translator, synthesizer=synthesizer
        )
        self.sessions: dict[str, LiveSession] = {}
        self.monitors = Monitors(LayerRelay, SystemClock(), self.sessions)
        self.name = f"{socket.gethostname()[:32]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        self._loop = asyncio.get_running_loop()
        self._layer = LayerSubscription(self.look, self._heard_event)
        self._heart: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        self._named = 0
        self._admitted = 0
        signals.session_changed.connect(self._session_changed)
        signals.session_position_wanted.connect(self._session_position)

    @property
    def draining(self) -> bool:
        return self.context.draining

    @property
    def clock(self) -> Clock:
        return self.context.clock

    def connection_name(self) -> str:
        """Unique in the installation."""
        self._named += 1
        return f"{self.name}.{self._named}"

    # --- live sessions ----------------------------------------------------------------------

    def session(self, session_id: str) -> LiveSession:
        """The live session, made if needed. Join it before the next ``await``."""
        live = self.sessions.get(session_id)
        if live is None:
            live = self.sessions[session_id] = LiveSession(
                session_id, context=self.context, monitors=self.monitors, gone=self._forget
            )
            self._layer.follow(session_id)
            self.monitors.relay.start()
            if self._heart is None or self._heart.done():
                self._heart = asyncio.create_task(self._beat())
            if self._poller is None or self._poller.done():
                self._poller = asyncio.create_task(self._poll())
        return live

    def _forget(self, live: LiveSession) -> None:
        if self.sessions.get(live.id) is live:
            del self.sessions[live.id]
            self._layer.unfollow(live.id)

    @property
    def _tracks(self) -> list[LiveTrack]:
        return [track for live in self.sessions.values() for track in live.tracks]

    @property
    def _connections(self) -> list[OpenConnection]:
        return [each for live in self.sessions.values() for each in live.connections]

    # --- capacity ---------------------------------------------------------------------------

    @contextmanager
    def admitted(self) -> Iterator[bool]:
        """Occupy one of ``MAX_STREAMS`` places within the context. False: none was free."""
        if self._admitted >= settings.MAX_STREAMS:
            yield False
            return
        self._admitted += 1
        try:
            yield True
        finally:
            self._admitted -= 1

    @property
    def expected_delay(self) -> float:
        """Seconds that a final requested now would wait for the engine."""
        transcriber = self.context.transcriber
        backlog, capacity = transcriber.backlog_seconds, transcriber.capacity
        return backlog / capacity if capacity > 0 else 0.0

    # --- notifications ----------------------------------------------------------------------

    def look(self, session_id: str) -> None:
        """Read the session again, if it is live here."""
        if (live := self.sessions.get(session_id)) is not None:
            live.look()

    def _heard_event(self, session_id: str, event: SpokenEvent) -> None:
        if (live := self.sessions.get(session_id)) is not None:
            live.deliver(event)

    def _session_changed(self, session_id: str, **kwargs: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.look, session_id)

    def _session_position(self, session_id: str, **kwargs: Any) -> float:
        live = self.sessions.get(session_id)
        return 0.0 if live is None else live.position

    async def _poll(self) -> None:
        while self.sessions:
            await asyncio.sleep(POLL)
            try:
                states = await in_database(session_states, list(self.sessions))
            except Exception:
                log.exception("could not poll the live sessions")
                continue
            for session_id, live in list(self.sessions.items()):
                if live.unsettled or states.get(session_id) != live.state:
                    live.look()

    # --- the heartbeat ----------------------------------------------------------------------

    async def _beat(self) -> None:
        while self.sessions:
            began = time.perf_counter()
            await asyncio.sleep(HEARTBEAT)
            elapsed = time.perf_counter() - began
            metrics.FRAME_LAG.observe(max(0.0, elapsed - HEARTBEAT))
            metrics.UTTERANCE_SECONDS.set(sum(track.backlog_seconds for track in self._tracks))
            for connection in self._connections:
                try:
                    connection.tick(elapsed)
                except Exception:
                    log.exception("the heartbeat of a connection failed")
            try:
                await self._renew()
            except Exception:
                # A lease lasts for many heartbeats.
                log.exception("the heartbeat failed")

    async def _renew(self) -> None:
        beats = [beat for track in self._tracks if (beat := track.beat()) is not None]
        if not beats:
            return
        lost = set(await in_database(tracks_beat, beats))
        for beat in beats:
            if beat.claim.track_id in lost:
                # Read the session first: this process itself may have claimed the track again.
                self.look(beat.claim.session_id)

    # --- the end ----------------------------------------------------------------------------

    async def drain(self) -> None:
        """Refuse new connections, close the others (1001), and finish transcribing."""
        self.context.draining = True
        for connection in self._connections:
            connection.go_away()
        self.monitors.drain()
        finishing = {track.finish() for track in self._tracks}
        deadline = self.clock.time() + settings.DRAIN_TIMEOUT + 5.0
        while (
            finishing or self._connections or not self.monitors.is_empty
        ) and self.clock.time() < deadline:
            if finishing:
                _, finishing = await asyncio.wait(finishing, timeout=0.5)
            else:
                await asyncio.sleep(0.05)
            # Some were still opening when draining began.
            finishing |= {track.finish() for track in self._tracks}
        if self._heart is not None:
            self._heart.cancel()

    async def close(self) -> None:
        """Stop receiving from other processes; returns when that is done."""
        signals.session_changed.disconnect(self._session_changed)
        signals.session_position_wanted.disconnect(self._session_position)
        for live in self.sessions.values():
            live.stop()
        if self._poller is not None:
            self._poller.cancel()
        await self._layer.close()
        await self.monitors.close()
