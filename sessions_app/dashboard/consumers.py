"""The live view's socket: segments stored since the page was rendered, and speech as it comes in.

The page knows the transcript up to a sequence number and asks for the segments after it. Finals
are read from the database in order of sequence, so a page that reconnects with its last number
misses no segment and gets none twice.
"""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs

from kallglot_site.accounts.dashboard.sockets import (
    NO_SUCH_OBJECT,
    NOT_ALLOWED,
    StaffSocket,
    in_database,
)
from kallglot_site.accounts.models import User
from kallglot_site.accounts.two_factor import may_enter
from kallglot_site.sockets.close_codes import NORMAL, TRY_AGAIN_LATER
from sessions_app import runtime, selectors
from sessions_app.live_events import (
    FinalTranscript,
    PartialTranscript,
    SpeechStarted,
    SpeechStopped,
    SpokenEvent,
    TranslationFailed,
    TranslationFinal,
    TranslationPartial,
)
from sessions_app.models import Segment, Session
from sessions_app.session_view import SessionView

QUEUE_SIZE: Final = 512
LATE_TRANSLATIONS: Final = 100


class Feed:
    """Follows a session for one page (a ``fanout.Follower``).

    ``seen`` is the sequence of the latest segment queued.
    """

    def __init__(self, after: int) -> None:
        self.seen: int | None = after
        self.seen_translation: int | None = None
        self.overflowed = False
        self.queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(QUEUE_SIZE)
        self._state: dict[str, Any] | None = None

    def deliver(self, event: SpokenEvent) -> None:
        message = message_of(event, self.seen or 0)
        if message is None:
            return
        if self.queue.full():
            # A page may miss partials and speech events, but must reconnect if it misses a segment.
            self.overflowed = self.overflowed or message["type"] in {"segment", "translation"}
        else:
            self.queue.put_nowait(message)

    def observe(self, view: SessionView | None) -> None:
        if self.queue.full():
            self.overflowed = True
        elif view is None:
            self.queue.put_nowait(None)
        else:
            # The session is read at every notification; the page is told only of changes.
            state = state_message(view)
            if state != self._state:
                self._state = state
                self.queue.put_nowait(state)
            if view.is_told(self.seen, self.seen_translation):
                if self.queue.full():
                    self.overflowed = True
                else:
                    self.queue.put_nowait(None)


def message_of(event: SpokenEvent, sequence: int) -> dict[str, Any] | None:
    """The message for the page; None for events that it does not show (audio, warnings)."""
    match event:
        case FinalTranscript():
            return {
                "type": "segment",
                "sequence": sequence,
                "id": event.id,
                "speaker": event.speaker,
                "language": event.language,
                "text": event.text,
                "start_time": event.start_time,
                "end_time": event.end_time,
                "confidence": event.confidence,
            }
        case PartialTranscript():
            return {
                "type": "partial",
                "id": event.id,
                "speaker": event.speaker,
                "language": event.language,
                "text": event.text,
                "start_time": event.start_time,
            }
        case TranslationFinal():
            return translation_message(event.segment_id, event.text)
        case TranslationPartial():
            return {"type": "subtitle", "segment_id": event.segment_id, "text": event.text}
        case TranslationFailed():
            return {"type": "untranslated", "segment_id": event.segment_id}
        case SpeechStarted() | SpeechStopped():
            return {
                "type": "speech",
                "speaker": event.speaker,
                "speaking": isinstance(event, SpeechStarted),
                "at": event.at,
            }
        case _:
            return None


def translation_message(segment_id: str, text: str) -> dict[str, Any]:
    return {"type": "translation", "segment_id": segment_id, "text": text}


def state_message(view: SessionView) -> dict[str, Any]:
    return {
        "type": "state",
        "status": view.state.status,
        "end_reason": view.state.end_reason,
        "duration": max([view.state.duration, *(track.position for track in view.tracks)]),
        "complete": view.state.complete,
        "paused": view.state.recording_paused,
    }


class SessionConsumer(StaffSocket):
    """``/dashboard/sessions/<id>/live?after=<sequence>``"""

    async def admit(self, user: User) -> int | None:
        def ask() -> int | None:
            session = selectors.session_visible_to(user=user, session_id=self._session_id)
            if session is None:
                return NO_SUCH_OBJECT
            return None if may_enter(user, session.organization) else NOT_ALLOWED

        return await in_database(ask)

    async def serve(self) -> int:
        feed = Feed(self._after())
        live = runtime.live_session(self._session_id)
        live.follow(feed)
        try:
            await self.send_json(await self._hello())
            for translation in await self._late_translations():
                await self.send_json(translation)
            await self._tell_interrupted()
            live.look()
            while not feed.overflowed or not feed.queue.empty():
                message = await feed.queue.get()
                if message is None:
                    await self._tell_interrupted()
                    return NORMAL
                await self.send_json(message)
            return TRY_AGAIN_LATER
        finally:
            live.unfollow(feed)

    @property
    def _session_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["session_id"])

    def _after(self) -> int:
        given = parse_qs(self.scope["query_string"].decode("latin1")).get("after", ["0"])[0]
        return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0

    async def _hello(self) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            session = Session.objects.filter(pk=self._session_id).first()
            started = session.started_at if session else None
            return {"type": "hello", "started_at": started.isoformat() if started else None}

        return await in_database(read)

    async def _tell_interrupted(self) -> None:
        """Segments are interrupted after they were sent, and there is no event for it."""

        def read() -> list[str]:
            rows = Segment.objects.filter(session_id=self._session_id, interrupted=True)
            return list(rows.values_list("id", flat=True))

        if ids := await in_database(read):
            await self.send_json({"type": "interrupted", "segment_ids": ids})

    async def _late_translations(self) -> list[dict[str, Any]]:
        """Translations are stored after their segments: those that a reconnecting page may lack."""

        def read() -> list[dict[str, Any]]:
            rows = Segment.objects.filter(session_id=self._session_id, translation__isnull=False)
            latest = rows.order_by("-sequence").values_list("id", "translation")[:LATE_TRANSLATIONS]
            return [translation_message(id, text) for id, text in latest if text is not None]

        return await in_database(read)
