"""The pause of a session's recording, from a client's request to its answer.

A pause, for example while card numbers are read out, stops recording, transcription and listening
in for every track of the session, on every server. It takes three steps:

1. *Asked.* A client asks one server. The tracks of that server pause at once; then the session's
   row is written, which notifies the other servers.
2. *Applied.* Each server reads the row, pauses its tracks, and notes that in each track's row.
3. *Told.* Once the rows of all live tracks say so, every client is sent ``session.paused``.

Resuming goes the same way. While a pause asked for here has not been stored, a row that says
"not paused" is out of date and does not end it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sessions_app.live_events import SessionPaused, SessionResumed
from sessions_app.services.claims import Claim, track_pause_applied
from sessions_app.services.sessions import recording_pause_set
from sessions_app.session_view import SessionView
from sessions_app.streaming.database import in_database

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]
"""The part of a request that needs the database. May be called again if it fails."""


class PausableTrack(Protocol):
    claim: Claim | None

    def pause_recording(self, paused: bool) -> None:
        """From the next frame on."""


class PauseClient(Protocol):
    def say(self, message: SessionPaused | SessionResumed) -> None: ...


@dataclass(slots=True)
class _Told:
    """What one client was told. ``owed``: it has asked and was not answered yet."""

    paused: bool
    messages: int = 0
    owed: bool = False


class RecordingPause:
    """The pause of one session in this process.

    Args:
        tracks: all of the session in this process at this moment.
        refresh: reads the session's row again and calls ``observe`` before it returns.
    """

    def __init__(
        self,
        session_id: str,
        tracks: Callable[[], Iterable[PausableTrack]],
        refresh: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self.active = False
        """Whether the tracks of this process are paused."""
        self._session_id = session_id
        self._tracks = tracks
        self._refresh = refresh
        self._asked: set[object] = set()
        """Pauses asked for here that the session's row may not show yet."""
        self._row_paused = False
        """What the session's row said when it was last read."""
        self._clients: dict[PauseClient, _Told] = {}
        self._background: set[asyncio.Task[None]] = set()

    # --- asked ------------------------------------------------------------------------------

    def ask_pause(self, client: PauseClient) -> tuple[Step, Callable[[], None]]:
        """Pause the tracks of this process now.

        Of what is returned, the step pauses all others. Call the second when the step is given up:
        the session's row alone decides then.
        """
        request = object()
        self._asked.add(request)
        self._apply(True)

        async def store() -> None:
            await self._store(True, client)
            self._asked.discard(request)
            if not self._row_paused:
                # Another server has resumed before that read, which the request still overruled.
                await self._refresh()

        def give_up() -> None:
            self._asked.discard(request)
            self._in_background(self._refresh())

        return store, give_up

    def ask_resume(self, client: PauseClient) -> Step:
        """The returned step resumes. Pauses requested after this call are not affected."""
        earlier = frozenset(self._asked)

        async def store() -> None:
            self._asked -= earlier
            await self._store(False, client)

        return store

    async def _store(self, paused: bool, client: PauseClient) -> None:
        """Returns when the session has been read again: the client is told then or soon after."""
        told = self._clients.get(client)
        before = told.messages if told else 0
        await in_database(recording_pause_set, session_id=self._session_id, paused=paused)
        # The change's notification may have come first, and the client may have been told.
        if told is not None and told.messages == before:
            told.owed = True
        await self._refresh()

    # --- applied ----------------------------------------------------------------------------

    def track_claimed(self, claim: Claim) -> None:
        """A track has been claimed. If the claim found the session paused, pause it here. If not,
        it may have been paused since, so only the next read of its row ends a pause."""
        if claim.paused and not self.active:
            self._apply(True)

    def observe(self, view: SessionView | None) -> None:
        """The session's row and those of its tracks have been read."""
        if view is None:
            return
        paused = self._row_paused = view.state.recording_paused
        if paused != self.active and (paused or not self._asked):
            self._apply(paused)
        if paused == self.active:
            self._acknowledge(view)
            if view.pause_settled:
                self._tell(paused)

    def _apply(self, paused: bool) -> None:
        self.active = paused
        for track in self._tracks():
            track.pause_recording(paused)

    def _acknowledge(self, view: SessionView) -> None:
        for track in self._tracks():
            state = view.track_of(track.claim) if track.claim is not None else None
            if track.claim is not None and state and state.pause_applied != self.active:
                self._in_background(self._note_applied(track.claim, self.active))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _note_applied(self, claim: Claim, paused: bool) -> None:
        try:
            await in_database(track_pause_applied, claim=claim, paused=paused)
        except Exception:
            # The next read of the session finds the note missing and tries again.
            log.exception("could not store that a pause of %s was applied", self._session_id)

    # --- told -------------------------------------------------------------------------------

    def follow(self, client: PauseClient, *, paused: bool) -> None:
        """Tell ``client`` of changes from now on; ``paused`` is what it was told last."""
        self._clients[client] = _Told(paused)

    def unfollow(self, client: PauseClient) -> None:
        self._clients.pop(client, None)

    def _tell(self, paused: bool) -> None:
        for client, told in list(self._clients.items()):
            if told.owed or told.paused != paused:
                told.paused, told.owed = paused, False
                told.messages += 1
                client.say(SessionPaused() if paused else SessionResumed())
