"""Listening in: sends a call's audio to monitors in this process and in others.

Tracks have a tap only while there is a monitor, so other calls cost nothing extra. Interest of
other processes is a lease: each process announces the sessions it listens to every second, so
interest ends when the process dies. An announcement names sessions, not tracks, so a party is
still heard after a take-over. All of this is best effort, and nothing is stored.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from sessions_app.clock import Clock
from sessions_app.media import PlacedFrame
from sessions_app.streaming import metrics

ANNOUNCE_EVERY: Final = 1.0
"""Seconds between two announcements of the sessions listened to in this process."""

LEASE: Final = 5.0
"""Seconds without an announcement after which a process is sent no more audio."""

MAX_MONITORS: Final = 50
"""Most monitors in one process: they share the event loop with the calls."""


class Monitor(Protocol):
    """A listener in this process."""

    def hear(self, frame: PlacedFrame) -> None:
        """The next frame of a party. Called on the event loop: must return at once."""

    def go_away(self) -> None:
        """This process is stopping: leave, and listen through another one."""


class Relay(Protocol):
    """Connects monitors across processes. Only ``close`` waits; everything sent may be lost."""

    def start(self) -> None:
        """Begin to receive. May be called again."""

    def announce(self, session_ids: Collection[str]) -> None:
        """Tell all processes that these sessions, and no others, are listened to here."""

    def send(self, process: str, session_id: str, frame: PlacedFrame) -> None: ...

    async def close(self) -> None: ...


class Audience:
    """All monitors of one session. While there are any, it is a tap of the session's tracks.

    Args:
        changed: called when the first monitor has joined or the last has left.
    """

    def __init__(self, session_id: str, monitors: "Monitors", changed: Callable[[], None]) -> None:
        self.here: list[Monitor] = []
        self._parties: list[Monitor] = []
        self._session_id = session_id
        self._monitors = monitors
        self._changed = changed
        self._elsewhere = monitors.processes_listening_to(session_id)

    @property
    def is_empty(self) -> bool:
        return not self.has_listeners and not self._elsewhere

    @property
    def has_listeners(self) -> bool:
        """Whether anybody in this process listens."""
        return bool(self.here or self._parties)

    def join(self, monitor: Monitor) -> None:
        """``monitor`` hears the session from now on. The caller checks permission."""
        was_empty = self.is_empty
        self.here.append(monitor)
        self._monitors.joined(monitor)
        if was_empty:
            self._changed()

    def leave(self, monitor: Monitor) -> None:
        if monitor not in self.here:
            return
        self.here.remove(monitor)
        self._monitors.left()
        if self.is_empty:
            self._changed()

    def join_party(self, party: Monitor) -> None:
        """The call itself listens: a party is passed what the other says. It is no monitor of the
        staff's, and does not count as one."""
        was_empty = self.is_empty
        self._parties.append(party)
        self._monitors.announce()
        if was_empty:
            self._changed()

    def leave_party(self, party: Monitor) -> None:
        if party not in self._parties:
            return
        self._parties.remove(party)
        self._monitors.announce()
        if self.is_empty:
            self._changed()

    def set_listening(self, process: str, listening: bool) -> None:
        """Whether another process listens to this session."""
        was_empty = self.is_empty
        if listening:
            self._elsewhere.add(process)
        else:
            self._elsewhere.discard(process)
        if was_empty != self.is_empty:
            self._changed()

    def write(self, frame: PlacedFrame) -> None:
        """Called as a tap: send a frame of a track in this process to all monitors."""
        self.hear(frame)
        for process in self._elsewhere:
            self._monitors.relay.send(process, self._session_id, frame)

    def hear(self, frame: PlacedFrame) -> None:
        """Send a frame to all monitors in this process."""
        for monitor in (*self.here, *self._parties):
            monitor.hear(frame)

    def close(self) -> None:
        """Called as a tap. Does nothing: the audience outlives the tracks."""


class MonitoredSession(Protocol):
    @property
    def audience(self) -> Audience: ...


class Monitors:
    """All listening in of one process. Belongs to one event loop.

    Args:
        relay: makes the relay to other processes.
        sessions: those live in this process, by id.
    """

    def __init__(
        self,
        relay: "Callable[[Monitors], Relay]",
        clock: Clock,
        sessions: Mapping[str, MonitoredSession],
    ) -> None:
        self.draining = False
        self.relay = relay(self)
        self._clock = clock
        self._sessions = sessions
        self._here = 0
        self._listened: list[str] = []
        self._elsewhere: dict[str, tuple[frozenset[str], float]] = {}
        """Other processes: the sessions each listens to, and until when its lease lasts."""
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return self._here >= MAX_MONITORS

    @property
    def is_empty(self) -> bool:
        """Whether this process has no monitors."""
        return self._here == 0

    def drain(self) -> None:
        """Ask all monitors to leave."""
        self.draining = True
        for session in self._sessions.values():
            for monitor in session.audience.here:
                monitor.go_away()

    async def close(self) -> None:
        """Stop receiving from other processes; returns when that is done."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self.relay.close()

    # --- in this process --------------------------------------------------------------------

    def joined(self, monitor: Monitor) -> None:
        self._count(1)
        self._keep()
        if self.draining:
            monitor.go_away()

    def left(self) -> None:
        self._count(-1)

    def _count(self, change: int) -> None:
        self._here += change
        metrics.MONITORS.set(self._here)
        self.announce()

    def announce(self) -> None:
        """Tell the other processes which sessions are listened to here."""
        self._listened = [id for id, each in self._sessions.items() if each.audience.has_listeners]
        self.relay.announce(self._listened)
        self._keep()

    # --- in other processes -----------------------------------------------------------------

    def processes_listening_to(self, session_id: str) -> set[str]:
        return {process for process, (ids, _) in self._elsewhere.items() if session_id in ids}

    def heard_announcement(self, process: str, session_ids: Collection[str]) -> None:
        """``process`` listens to exactly these sessions."""
        self._elsewhere[process] = frozenset(session_ids), self._clock.time() + LEASE
        self._tell_audiences(process)
        self._keep()

    def heard_audio(self, session_id: str, frame: PlacedFrame) -> None:
        """A frame of a track of another process."""
        if (session := self._sessions.get(session_id)) is not None:
            session.audience.hear(frame)

    def _tell_audiences(self, process: str) -> None:
        listened, _ = self._elsewhere.get(process, (frozenset(), 0.0))
        for session_id, session in self._sessions.items():
            session.audience.set_listening(process, session_id in listened)

    def _expire(self) -> None:
        now = self._clock.time()
        for process, (listened, until) in list(self._elsewhere.items()):
            if until <= now or not listened:
                del self._elsewhere[process]
                self._tell_audiences(process)

    # --- every second -----------------------------------------------------------------------

    def _keep(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._listened or self._elsewhere:
            await self._clock.sleep(ANNOUNCE_EVERY)
            if self._listened:
                self.announce()
            self._expire()
