"""Listening in on a running call: sends the audio of both parties to a dashboard page.

The socket sends text (``hello``, ``state``) and binary messages: a byte that names the party, a
byte that is always zero, then 16-bit little-endian PCM. The page answers with the number of bytes
of audio that it has played so far, in plain digits. A page that falls behind skips the audio
that it missed. Only the audit log's entries about listening in are stored.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Any, ClassVar, Final

from kallglot_site import executors
from kallglot_site.accounts.dashboard.sockets import StaffSocket, in_database, in_database_of
from kallglot_site.accounts.members import audit_record
from kallglot_site.accounts.models import User
from kallglot_site.accounts.selectors import membership_of
from kallglot_site.accounts.two_factor import may_enter
from kallglot_site.sockets.close_codes import (
    GOING_AWAY,
    NO_SUCH_OBJECT,
    NORMAL,
    NOT_ALLOWED,
    SERVER_FAULT,
    TRY_AGAIN_LATER,
)
from sessions_app import runtime, selectors
from sessions_app.live_events import SpokenEvent
from sessions_app.media import PlacedFrame, Resampler, Speaker, decode
from sessions_app.models import Session
from sessions_app.session_view import SessionView
from sessions_app.streaming.live.session import LiveSession

log = logging.getLogger(__name__)

SAMPLE_RATE: Final = 16000
"""Hz. The page is sent this rate, whatever rate a party sends: its player relies on it."""

PARTY_BYTES: Final[dict[Speaker, bytes]] = {"agent": b"\0\0", "customer": b"\1\0"}

WAITING_SECONDS: Final = 2.0
"""Audio of both parties that may wait for the socket; older audio is dropped."""

UNHEARD_BYTES: Final = 4 * SAMPLE_RATE * 2 * 2
"""How far a page may be behind: four seconds of both parties' audio. Not every server waits for
slow clients: without this limit, a client that does not read would fill the memory."""

AUDIT_WITHIN: Final = 5.0


def state_message(status: str, paused: bool) -> dict[str, Any]:
    return {"type": "state", "status": status, "paused": paused}


class PartyAudio:
    """Converts one party's frames, in any format, to one stream of PCM."""

    def __init__(self, speaker: Speaker) -> None:
        self._prefix = PARTY_BYTES[speaker]
        self._rate = SAMPLE_RATE
        self._resampler: Resampler | None = None

    def message(self, frame: PlacedFrame) -> bytes | None:
        """The message for the page; None: there is nothing to send yet."""
        rate = frame.format.sample_rate
        if rate != self._rate:
            self._rate = rate
            self._resampler = Resampler(rate, SAMPLE_RATE) if rate != SAMPLE_RATE else None
        samples = decode(frame.payload, frame.format.encoding)
        if self._resampler is not None:
            samples = self._resampler.feed(samples)
        return self._prefix + samples.astype("<i2", copy=False).tobytes() if len(samples) else None


class Earpiece:
    """Follows one call for one page. A ``fanout.Follower`` and a ``monitors.Monitor``."""

    def __init__(self) -> None:
        self.seen: int | None = None
        self.seen_translation: int | None = None
        self.close_code = NORMAL
        self._frames: deque[PlacedFrame] = deque()
        self._waiting = 0.0
        self._parties: dict[Speaker, PartyAudio] = {}
        self._state: dict[str, Any] | None = None
        self._told: dict[str, Any] | None = None
        self._over = False
        self._wake = asyncio.Event()
        self._sent = 0
        self._taken = 0

    # --- in ---------------------------------------------------------------------------------

    def hear(self, frame: PlacedFrame) -> None:
        # Until the session has been read, it is not known whether it is paused.
        if self._state is None or self._state["paused"] or self._over:
            return
        if self._sent - self._taken > UNHEARD_BYTES:
            return
        self._frames.append(frame)
        self._waiting += frame.duration
        while self._waiting > WAITING_SECONDS and len(self._frames) > 1:
            self._waiting -= self._frames.popleft().duration
        self._wake.set()

    def go_away(self) -> None:
        self.close_code = GOING_AWAY
        self._over = True
        self._wake.set()

    def deliver(self, event: SpokenEvent) -> None:
        """Text is not sent to pages that listen in."""

    def observe(self, view: SessionView | None) -> None:
        if view is None:
            self._over = True
        else:
            self._state = state_message(view.state.status, view.state.recording_paused)
            self._over = self._over or view.state.ended
            if self._over or view.state.recording_paused:
                self._frames.clear()
                self._waiting = 0.0
        self._wake.set()

    def hang_up(self) -> None:
        """Ignore all further audio."""
        self._over = True

    def taken(self, bytes_taken: int) -> None:
        """The page has played this many bytes of audio in all."""
        self._taken = min(max(self._taken, bytes_taken), self._sent)

    # --- out --------------------------------------------------------------------------------

    async def next(self) -> dict[str, Any] | bytes | None:
        """The next message for the page; None: the call is over."""
        while True:
            if self._state != self._told:
                self._told = self._state
                return self._state
            while self._frames:
                frame = self._frames.popleft()
                self._waiting -= frame.duration
                if (message := self._message(frame)) is not None:
                    self._sent += len(message)
                    return message
            if self._over:
                return None
            self._wake.clear()
            await self._wake.wait()

    def _message(self, frame: PlacedFrame) -> bytes | None:
        party = self._parties.get(frame.speaker)
        if party is None:
            party = self._parties[frame.speaker] = PartyAudio(frame.speaker)
        return party.message(frame)


class ListenInConsumer(StaffSocket):
    """``/dashboard/sessions/<id>/listen``"""

    _writing: ClassVar[set[asyncio.Task[None]]] = set()
    _session: Session
    _earpiece: Earpiece | None = None
    _stopped: asyncio.Task[None] | None = None

    async def admit(self, user: User) -> int | None:
        return await in_database(self._admit, user)

    def _admit(self, user: User) -> int | None:
        session_id = str(self.scope["url_route"]["kwargs"]["session_id"])
        session = selectors.session_visible_to(user=user, session_id=session_id)
        if session is None:
            return NO_SUCH_OBJECT
        membership = membership_of(user=user, organization=session.organization)
        if membership is None:  # it ended since the session was read
            return NO_SUCH_OBJECT
        if not membership.may_listen_in:
            return NOT_ALLOWED
        if session.organization.is_suspended or not may_enter(user, session.organization):
            return NOT_ALLOWED
        self._session = session
        return None

    async def serve(self) -> int:
        if self._session.is_ended:
            await self.send_json(state_message(self._session.status, paused=False))
            return NORMAL
        monitors = runtime.monitors()
        if monitors.draining or monitors.is_full:
            return GOING_AWAY if monitors.draining else TRY_AGAIN_LATER
        self._earpiece = earpiece = Earpiece()
        started = self._note("listen_in.started")
        began = time.monotonic()
        # Join before writing the audit entry, or more than the limit could join meanwhile.
        live = runtime.live_session(self._session.id)
        live.listen_in(earpiece)
        try:
            # No audio is sent before the audit entry is stored: an earpiece stays silent until it
            # has been told whether the call is paused.
            await asyncio.shield(started)
            return await self._listen(live, earpiece)
        except Exception:
            log.exception("listening in on %s failed", self._session.id)
            return SERVER_FAULT
        finally:
            detail = f"after {time.monotonic() - began:.1f} s"
            self._stopped = self._note("listen_in.stopped", detail, after=started)
            try:
                await asyncio.shield(self._stopped)
            except Exception:
                log.exception("could not log that listening in on %s stopped", self._session.id)
            finally:
                # After the audit entry: a draining process waits until all listeners have left.
                live.stop_listening_in(earpiece)

    async def _listen(self, live: LiveSession, earpiece: Earpiece) -> int:
        live.follow(earpiece)
        try:
            await self.send_json({"type": "hello"})
            live.look()
            while (message := await earpiece.next()) is not None:
                if isinstance(message, bytes):
                    await self.send(bytes_data=message)
                else:
                    await self.send_json(message)
            return earpiece.close_code
        finally:
            earpiece.hang_up()
            live.unfollow(earpiece)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        if self._earpiece and text_data and len(text_data) < 16 and text_data.isdecimal():
            self._earpiece.taken(int(text_data))

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        # Some servers wait for their sockets when they stop, so wait for the last audit entries.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=AUDIT_WITHIN)
        if self._stopped is not None:
            await asyncio.wait({self._stopped}, timeout=AUDIT_WITHIN)

    def _note(
        self, action: str, detail: str = "", *, after: asyncio.Task[None] | None = None
    ) -> asyncio.Task[None]:
        """Write an audit entry, even if the socket closes meanwhile."""
        user, session = self.user, self._session

        async def write() -> None:
            if after is not None:
                await asyncio.wait({after})
                if after.cancelled() or after.exception() is not None:
                    return
            # Its own pool never refuses work, so every admitted listener is in the audit log.
            await in_database_of(
                executors.LISTEN_IN_AUDIT,
                audit_record,
                organization=session.organization,
                actor=user,
                action=action,
                target=session.id,
                detail=detail,
                environment=session.environment,
            )

        task = asyncio.create_task(write())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task
