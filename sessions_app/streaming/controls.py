"""What a client may ask of its session: mute, pause, end. In order, and off the frame path."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from sessions_app.lifecycle import recording_pause_set
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live import LiveTrack
from sessions_app.streaming.protocols.base import ControlAction

if TYPE_CHECKING:
    from sessions_app.streaming.connection import Connection

log = logging.getLogger(__name__)

WAITING: Final = 16
ATTEMPTS: Final = 5


class Controls:
    """One connection's wishes. Mute and the pause of the transcription are its own; the pause of
    the recording is the session's, and holds here before anyone else has heard of it."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._muted = self._deaf = False
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(WAITING)
        self._worker: asyncio.Task[None] | None = None

    def apply_to(self, track: LiveTrack) -> None:
        """A track that joins later obeys what was asked before."""
        if self._muted:
            track.mute(True)
        if self._deaf:
            track.pause_transcription(True)

    def control(self, action: ControlAction) -> None:
        tracks = self._connection.tracks.values()
        match action:
            case "mute" | "unmute":
                self._muted = action == "mute"
                for track in tracks:
                    track.mute(self._muted)
            case "pause_transcription" | "resume_transcription":
                self._deaf = action == "pause_transcription"
                for track in tracks:
                    track.pause_transcription(self._deaf)
            case "pause_recording":
                asked = object()
                held = self._held()
                for track in held:
                    track.recording_pause.hold(asked)
                self._later(lambda: self._pause(asked, held))
            case "resume_recording":
                # Not those that will have been asked for by the time this is done.
                pauses = (track.recording_pause.asked for track in self._held())
                earlier = frozenset[object]().union(*pauses)
                self._later(lambda: self._resume(earlier))

    def end_session(self, reason: str | None) -> None:
        self._later(lambda: self._end(reason or Session.EndReason.COMPLETED))

    # --- one after the other ----------------------------------------------------------------

    def _later(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            self._queue.put_nowait(work)
        except asyncio.QueueFull:
            self._connection.fail(
                "rate_limit_exceeded", "Too many controls at once.", 4429, "rate_limit_error"
            )
            return
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await work()
                    break
                except Exception:
                    log.exception("a control of %s failed", self._connection.session.id)
                    await asyncio.sleep(0.2 * attempt)
            else:
                self._connection.could_not()
            self._queue.task_done()

    def _held(self) -> list[LiveTrack]:
        return self._connection.gateway.tracks_of(self._connection.session.id)

    async def _pause(self, asked: object, held: list[LiveTrack]) -> None:
        # Older looks at the session may still be under way; they must not lift the pause.
        await self._set_pause(True)
        for track in held:
            track.recording_pause.settle({asked})

    async def _resume(self, earlier: frozenset[object]) -> None:
        for track in self._held():
            track.recording_pause.settle(earlier)
        await self._set_pause(False)

    async def _set_pause(self, paused: bool) -> None:
        """Returns when the session has been looked at since, and the client's answer is due."""
        connection, session_id = self._connection, self._connection.session.id
        told = connection.pauses_told
        await in_database(recording_pause_set, session_id=session_id, paused=paused)
        # The bell that this rang may have been quicker, and the client answered already.
        connection.pause_awaited = connection.pauses_told == told
        await connection.gateway.hub.refresh(session_id)

    async def _end(self, reason: str) -> None:
        connection = self._connection
        for track in connection.tracks.values():
            # What was sent before the end belongs to the session, even if it is just starting.
            await track.begun()
        await in_database(session_end, session=connection.session, reason=reason)

    def close(self) -> None:
        """The connection is gone. What it asked for last is still done."""
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        finishing = asyncio.create_task(_finish(self._queue, worker))
        _finishing.add(finishing)
        finishing.add_done_callback(_finishing.discard)


_finishing: set[asyncio.Task[None]] = set()


async def _finish(
    queue: "asyncio.Queue[Callable[[], Awaitable[None]]]", worker: "asyncio.Task[None]"
) -> None:
    await asyncio.wait({asyncio.ensure_future(queue.join())}, timeout=10)
    worker.cancel()
