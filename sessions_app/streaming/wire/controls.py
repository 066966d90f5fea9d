"""Handles a client's controls (mute, pause, end) in order, without holding up its audio."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from kallglot_site.sockets import close_codes
from sessions_app.media import Speaker
from sessions_app.models import Session
from sessions_app.services.claims import track_switch_set
from sessions_app.services.sessions import session_end
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live.pause import PauseClient, Step
from sessions_app.streaming.live.session import LiveSession
from sessions_app.streaming.live.track import LiveTrack
from sessions_app.streaming.wire.protocols.base import (
    ControlAction,
    ServerMessage,
    TranscriptionPaused,
    TranscriptionResumed,
)

log = logging.getLogger(__name__)

GiveUp = Callable[[], None]
"""Called when a step will not be tried again."""

MAX_WAITING: Final = 16
ATTEMPTS: Final = 5
FINISH_WITHIN: Final = 10.0
"""Seconds to finish a client's last requests after it has disconnected."""


class ControllingConnection(PauseClient, Protocol):
    """The connection whose client sends controls."""

    def say(self, message: ServerMessage) -> None: ...

    session: Session
    tracks: dict[Speaker, LiveTrack]

    def fail(
        self, code: str, message: str, close: int | None = None, type: str = "validation_error"
    ) -> None: ...

    def could_not(self) -> None: ...


class Controls:
    """The controls of one connection. Mute and the pause of the transcription apply to its own
    tracks, the pause of the recording to the whole session (``live.pause``)."""

    def __init__(self, connection: ControllingConnection, live: LiveSession) -> None:
        self._connection = connection
        self._live = live
        self._muted = self._transcription_paused = False
        self._queue: asyncio.Queue[tuple[Step, GiveUp]] = asyncio.Queue(MAX_WAITING)
        self._worker: asyncio.Task[None] | None = None

    def apply_to(self, track: LiveTrack) -> None:
        """Apply earlier controls to a track that is opened later."""
        if self._muted:
            track.mute(True)
        if self._transcription_paused:
            track.pause_transcription(True)

    def control(self, action: ControlAction) -> None:
        tracks = self._connection.tracks.values()
        match action:
            case "mute" | "unmute":
                muted = self._muted = action == "mute"
                for track in tracks:
                    track.mute(muted)
                self._later(lambda: self._keep(muted=muted))
            case "pause_transcription" | "resume_transcription":
                paused = self._transcription_paused = action == "pause_transcription"
                for track in tracks:
                    track.pause_transcription(paused)
                self._later(lambda: self._pause_transcription(paused))
            case "pause_recording":
                self._later(*self._live.pause.ask_pause(self._connection))
            case "resume_recording":
                self._later(self._live.pause.ask_resume(self._connection))

    async def _pause_transcription(self, paused: bool) -> None:
        await self._keep(transcription_paused=paused)
        for speaker in self._connection.tracks:
            answer = TranscriptionPaused if paused else TranscriptionResumed
            self._connection.say(answer(speaker))

    async def _keep(self, **switches: bool) -> None:
        """Store switches for the speaker's next connection."""
        for track in list(self._connection.tracks.values()):
            await track.begun()
            if track.claim is not None:
                await in_database(track_switch_set, claim=track.claim, **switches)

    def end_session(self, reason: str | None) -> None:
        self._later(lambda: self._end(reason or Session.EndReason.COMPLETED))

    async def _end(self, reason: str) -> None:
        connection = self._connection
        for track in connection.tracks.values():
            # Audio sent before the end belongs to the session, even if that is just starting.
            await track.begun()
        await in_database(session_end, session=connection.session, reason=reason)

    # --- one after the other ----------------------------------------------------------------

    def _later(self, step: Step, give_up: GiveUp = lambda: None) -> None:
        try:
            self._queue.put_nowait((step, give_up))
        except asyncio.QueueFull:
            give_up()
            message = "Too many controls at once."
            self._connection.fail(
                "rate_limit_exceeded", message, close_codes.TOO_FAST, "rate_limit_error"
            )
            return
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            step, give_up = await self._queue.get()
            done = False
            try:
                done = await self._try(step)
            finally:
                if not done:
                    give_up()
                self._queue.task_done()
            if not done:
                self._connection.could_not()

    async def _try(self, step: Step) -> bool:
        """Whether it has succeeded in the end."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await step()
            except Exception:
                log.exception("a control of %s failed", self._connection.session.id)
                await asyncio.sleep(0.2 * attempt)
            else:
                return True
        return False

    def close(self) -> "asyncio.Task[None] | None":
        """The connection has closed. Its last requests are still carried out, by the task that is
        returned; None: there are none."""
        if self._worker is None:
            return None
        worker, self._worker = self._worker, None
        finishing = asyncio.create_task(_finish(self._queue, worker))
        _finishing.add(finishing)
        finishing.add_done_callback(_finishing.discard)
        return finishing


_finishing: set[asyncio.Task[None]] = set()
"""The event loop itself keeps no reference to a task."""


async def _finish(queue: asyncio.Queue[tuple[Step, GiveUp]], worker: asyncio.Task[None]) -> None:
    await asyncio.wait({asyncio.ensure_future(queue.join())}, timeout=FINISH_WITHIN)
    worker.cancel()
    while not queue.empty():
        _, give_up = queue.get_nowait()
        give_up()
        queue.task_done()
