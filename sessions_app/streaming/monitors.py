"""Listening in: who hears a call besides its parties, in this process and in others.

Where nobody listens, a call's frames know nothing of this: its tracks are given a tap only while
somebody does. Who listens elsewhere is a lease, announced again every second, so that it ends by
itself with the process that asked. It names a session, not a track: whoever speaks for a party,
here or after a take-over, is heard. All of it is best effort and nothing of it is stored.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final, Protocol

from sessions_app.streaming import metrics
from sessions_app.streaming.clock import Clock
from sessions_app.streaming.media import PlacedFrame
from sessions_app.streaming.taps import AudioTap

ANNOUNCE_EVERY: Final = 1.0
"""Seconds between two announcements of who listens in this process."""

LEASE: Final = 5.0
"""Seconds without an announcement after which nothing is sent to a process any more."""

MOST: Final = 50
"""Monitors in one process: they share the event loop with the calls."""


class Monitor(Protocol):
    """Somebody in this process who listens in."""

    def hear(self, frame: PlacedFrame) -> None:
        """The next frame of a party. Called on the event loop: keep it and return."""

    def go_away(self) -> None:
        """This process stops: listen elsewhere, and leave."""


class MonitoredTrack(Protocol):
    """A party's audio, in this process."""

    @property
    def session_id(self) -> str: ...

    def listen_in(self, tap: AudioTap | None) -> None:
        """Write every frame to ``tap`` from now on; None: to nobody."""


class Relay(Protocol):
    """The way to other processes. No call but ``close`` waits, and any may come to nothing."""

    def start(self) -> None:
        """Be reachable from now on. May be called again."""

    def announce(self, session_ids: Collection[str]) -> None:
        """Tell everybody which sessions are listened to here: these and no others."""

    def send(self, process: str, session_id: str, frame: PlacedFrame) -> None: ...

    async def close(self) -> None: ...


class Audience:
    """Everybody who listens to one session. Its tracks are given this as a tap."""

    def __init__(self, session_id: str, relay: Relay) -> None:
        self.session_id = session_id
        self.here: list[Monitor] = []
        self.elsewhere: dict[str, float] = {}
        """Other processes, and until when each is believed to listen."""
        self._relay = relay

    @property
    def is_empty(self) -> bool:
        return not self.here and not self.elsewhere

    def write(self, frame: PlacedFrame) -> None:
        self.hear(frame)
        for process in self.elsewhere:
            self._relay.send(process, self.session_id, frame)

    def hear(self, frame: PlacedFrame) -> None:
        for monitor in self.here:
            monitor.hear(frame)

    def close(self) -> None:
        """It outlives the tracks it is given to."""


class Monitors:
    """This process's switchboard. Belongs to one event loop. ``relay`` makes its way to others."""

    def __init__(self, relay: "Callable[[Monitors], Relay]", clock: Clock) -> None:
        self._relay = relay(self)
        self._clock = clock
        self._audiences: dict[str, Audience] = {}
        self._tracks: dict[str, list[MonitoredTrack]] = {}
        self._here = 0
        self.draining = False
        self._keeper: asyncio.Task[None] | None = None

    # --- who listens ------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        return self._here >= MOST

    @property
    def is_empty(self) -> bool:
        return self._here == 0

    def drain(self) -> None:
        """Send everybody away. They leave in their own time."""
        self.draining = True
        for audience in self._audiences.values():
            for monitor in audience.here:
                monitor.go_away()

    def join(self, session_id: str, monitor: Monitor) -> None:
        """``monitor`` hears the session from now on. Whether one may is the caller's to check."""
        self._relay.start()
        self._audience(session_id).here.append(monitor)
        self._count(1)
        self._announce()
        if self.draining:
            monitor.go_away()

    def leave(self, session_id: str, monitor: Monitor) -> None:
        audience = self._audiences.get(session_id)
        if audience is None or monitor not in audience.here:
            return
        audience.here.remove(monitor)
        self._count(-1)
        self._settle(audience)
        self._announce()

    def heard_announcement(self, process: str, session_ids: Collection[str]) -> None:
        """``process`` listens to these sessions and no others."""
        until = self._clock.time() + LEASE
        for session_id in session_ids:
            self._audience(session_id).elsewhere[process] = until
        for audience in list(self._audiences.values()):
            if audience.session_id not in session_ids and process in audience.elsewhere:
                del audience.elsewhere[process]
                self._settle(audience)

    def heard_audio(self, session_id: str, frame: PlacedFrame) -> None:
        """A frame of a track that another process holds."""
        if (audience := self._audiences.get(session_id)) is not None:
            audience.hear(frame)

    def _count(self, change: int) -> None:
        self._here += change
        metrics.MONITORS.set(self._here)

    # --- who is heard -----------------------------------------------------------------------

    def track_joined(self, track: MonitoredTrack) -> None:
        self._relay.start()
        self._tracks.setdefault(track.session_id, []).append(track)
        if (audience := self._audiences.get(track.session_id)) is not None:
            track.listen_in(audience)

    def track_left(self, track: MonitoredTrack) -> None:
        tracks = self._tracks.get(track.session_id, [])
        if track in tracks:
            tracks.remove(track)
            track.listen_in(None)
        if not tracks:
            self._tracks.pop(track.session_id, None)

    # --- bringing them together -------------------------------------------------------------

    def _audience(self, session_id: str) -> Audience:
        audience = self._audiences.get(session_id)
        if audience is None:
            audience = self._audiences[session_id] = Audience(session_id, self._relay)
            for track in self._tracks.get(session_id, []):
                track.listen_in(audience)
            if self._keeper is None or self._keeper.done():
                self._keeper = asyncio.create_task(self._keep())
        return audience

    def _settle(self, audience: Audience) -> None:
        if audience.is_empty and self._audiences.pop(audience.session_id, None) is not None:
            for track in self._tracks.get(audience.session_id, []):
                track.listen_in(None)

    def _announce(self) -> None:
        self._relay.announce([each.session_id for each in self._audiences.values() if each.here])

    async def _keep(self) -> None:
        while self._audiences:
            await self._clock.sleep(ANNOUNCE_EVERY)
            if self._here:
                self._announce()
            self._expire()

    def _expire(self) -> None:
        now = self._clock.time()
        for audience in list(self._audiences.values()):
            for process, until in list(audience.elsewhere.items()):
                if until <= now:
                    del audience.elsewhere[process]
            self._settle(audience)

    async def close(self) -> None:
        """Returns once nothing comes from other processes any more."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self._relay.close()
