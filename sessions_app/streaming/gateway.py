"""What the connections of one process share: tracks, heartbeat, capacity, and the way out."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from django.conf import settings

from sessions_app.engines.base import Transcriber
from sessions_app.streaming import metrics
from sessions_app.streaming.clock import Clock, SystemClock
from sessions_app.streaming.database import in_database
from sessions_app.streaming.hub import Hub
from sessions_app.streaming.live import LiveTrack
from sessions_app.streaming.segments import SegmentWriter
from sessions_app.streaming.tracks import tracks_beat

log = logging.getLogger(__name__)

BEAT: Final = 1.0
"""Seconds between heartbeats: leases and positions of all tracks here, in one go."""

DELAY_TOLD: Final = 5.0
"""Seconds of expected wait for a final that a new connection is warned of."""

DELAY_REFUSED: Final = 120.0
"""Seconds of expected wait from which on no new speaker is accepted."""


class OpenConnection(Protocol):
    """A connection as the gateway sees it."""

    def tick(self, seconds: float) -> None:
        """``seconds`` have passed."""

    def go_away(self) -> None:
        """This server stops: the client is to reconnect elsewhere."""


class Gateway:
    """See the module. Belongs to one event loop."""

    def __init__(self, *, transcriber: Transcriber, hub: Hub, clock: Clock | None = None) -> None:
        self.transcriber = transcriber
        self.hub = hub
        self.clock: Clock = clock or SystemClock()
        self.segments = SegmentWriter()
        self.draining = False
        self.name = f"{socket.gethostname()[:32]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        self._connections: set[OpenConnection] = set()
        self._tracks: set[LiveTrack] = set()
        self._speaking: dict[tuple[str, str], LiveTrack] = {}
        self._heart: asyncio.Task[None] | None = None
        self._named = 0
        self._admitted = 0

    def connection_name(self) -> str:
        """Unique in the installation."""
        self._named += 1
        return f"{self.name}.{self._named}"

    # --- who is here ------------------------------------------------------------------------

    @contextmanager
    def admitted(self) -> Iterator[bool]:
        """A place for one more connection while the context lasts. False: there was none."""
        if self._admitted >= settings.MAX_STREAMS:
            yield False
            return
        self._admitted += 1
        try:
            yield True
        finally:
            self._admitted -= 1

    def add(self, connection: OpenConnection) -> None:
        self._connections.add(connection)
        metrics.STREAMS.set(len(self._connections))
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())

    def remove(self, connection: OpenConnection) -> None:
        self._connections.discard(connection)
        metrics.STREAMS.set(len(self._connections))

    def add_track(self, track: LiveTrack) -> None:
        self._tracks.add(track)
        metrics.TRACKS.set(len(self._tracks))

    def track_claimed(self, track: LiveTrack) -> None:
        key = track.session_id, track.speaker
        # Two that were claimed at once may come here in the other order.
        if (other := self._speaking.get(key)) is None or other.generation < track.generation:
            self._speaking[key] = track
        self.hub.join(track.session_id, track)
        self.hub.monitors.track_joined(track)

    def remove_track(self, track: LiveTrack) -> None:
        self._tracks.discard(track)
        if self._speaking.get((track.session_id, track.speaker)) is track:
            del self._speaking[track.session_id, track.speaker]
        self.hub.leave(track.session_id, track)
        self.hub.monitors.track_left(track)
        metrics.TRACKS.set(len(self._tracks))

    def speaking(self, session_id: str, speaker: str) -> LiveTrack | None:
        """The track that this process holds for the speaker, if any."""
        return self._speaking.get((session_id, speaker))

    def tracks_of(self, session_id: str) -> list[LiveTrack]:
        return [track for track in self._tracks if track.session_id == session_id]

    def heard_until(self, session_id: str) -> float:
        """Where the session's audio ends here, seconds; 0: nobody speaks in it. From any thread."""
        tracks = [self.speaking(session_id, speaker) for speaker in ("agent", "customer")]
        return max((track.position for track in tracks if track is not None), default=0.0)

    # --- capacity ---------------------------------------------------------------------------

    @property
    def expected_delay(self) -> float:
        """Seconds that a final asked for now would wait for the engine."""
        backlog, capacity = self.transcriber.backlog_seconds, self.transcriber.capacity
        return backlog / capacity if capacity > 0 else 0.0

    # --- the heartbeat ----------------------------------------------------------------------

    async def _beat(self) -> None:
        while self._connections or self._tracks:
            began = time.perf_counter()
            await asyncio.sleep(BEAT)
            elapsed = time.perf_counter() - began
            metrics.FRAME_LAG.observe(max(0.0, elapsed - BEAT))
            metrics.UTTERANCE_SECONDS.set(sum(track.backlog_seconds for track in self._tracks))
            for connection in list(self._connections):
                try:
                    connection.tick(elapsed)
                except Exception:
                    log.exception("a connection could not be looked after")
            try:
                await self._renew()
            except Exception:
                # Leases last for many beats.
                log.exception("heartbeat failed")

    async def _renew(self) -> None:
        beats = [beat for track in self._tracks if (beat := track.beat()) is not None]
        if not beats:
            return
        lost = set(await in_database(tracks_beat, beats))
        for track in list(self._tracks):
            if track.claim is not None and track.claim.track_id in lost:
                # Looked at rather than believed: the one that took over may be ours as well.
                self.hub.look(track.session_id)

    # --- the way out ------------------------------------------------------------------------

    async def drain(self) -> None:
        """Accept nothing new, send everyone away (1001), and finish what was said."""
        self.draining = True
        for connection in list(self._connections):
            connection.go_away()
        monitors = self.hub.monitors
        monitors.drain()
        finishing = {track.finish() for track in self._tracks}
        deadline = self.clock.time() + settings.DRAIN_TIMEOUT + 5.0
        while (
            finishing or self._connections or not monitors.is_empty
        ) and self.clock.time() < deadline:
            if finishing:
                _, finishing = await asyncio.wait(finishing, timeout=0.5)
            else:
                await asyncio.sleep(0.05)
            # Some were still opening when the drain began.
            finishing |= {track.finish() for track in self._tracks}
        if self._heart is not None:
            self._heart.cancel()
