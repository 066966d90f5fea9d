"""One client's connection to a session, once its token has been accepted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from django.conf import settings

from kallglot_site.sockets.token_bucket import TokenBucket
from sessions_app.models import Session
from sessions_app.streaming import limits, metrics
from sessions_app.streaming.controls import Controls
from sessions_app.streaming.events import Speaker, StreamWarning
from sessions_app.streaming.gateway import DELAY_TOLD, Gateway
from sessions_app.streaming.live import LiveTrack, Owner
from sessions_app.streaming.media import AudioFrame
from sessions_app.streaming.news import SessionView, SpokenEvent
from sessions_app.streaming.outbox import Outbox
from sessions_app.streaming.protocols.base import (
    AudioInput,
    AudioOutput,
    ClientMessage,
    Codec,
    Control,
    EndSession,
    ListeningSpeaker,
    Ping,
    Pong,
    ProtocolError,
    ServerMessage,
    SessionEnded,
    SessionError,
    SessionPaused,
    SessionReady,
    SessionResumed,
    StreamStop,
)
from sessions_app.streaming.timeline import ClockMode
from sessions_app.streaming.tracks import SessionGone

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

YIELD_EVERY: Final = 16
"""Messages handled before other connections have their turn, where more are waiting."""

SPEECH_AHEAD: Final = 120.0
"""Seconds of speech waiting for their final at which a faster than real-time sender has to wait."""

COMPLETE_WITHIN: Final = 20.0
"""Seconds beyond the drain after which an ended connection closes, complete or not."""


class Connection:
    """Pumps frames in and messages out. Created after the upgrade; ``run`` lasts as long as it.

    Frames touch neither database nor thread: see ``_read``.

    Args:
        speaker: who speaks unless a frame says otherwise; ``none`` takes no audio at all.
        allowed: for whom the token lets anyone speak.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        session: Session,
        codec: Codec,
        speaker: ListeningSpeaker,
        allowed: Collection[str],
        clock: ClockMode,
        receive: Receive,
        outbox: Outbox,
    ) -> None:
        self.session = session
        self.gateway = gateway
        self.tracks: dict[str, LiveTrack] = {}
        self.seen: int | None = session.segment_count
        self.outbox = outbox
        self._codec = codec
        self._speaker: ListeningSpeaker = speaker
        self._allowed = allowed
        self._clock: ClockMode = clock
        self._receive = receive
        self._controls = Controls(self)
        self._owner = Owner(
            gateway.connection_name(), self.deliver, self._replaced, lambda: self._gone(ended=True)
        )
        loop_time = asyncio.get_running_loop().time
        self._messages = TokenBucket(limits.MESSAGES_PER_SECOND, limits.MESSAGES_AT_ONCE, loop_time)
        self._pings = TokenBucket(limits.PINGS_PER_SECOND, limits.PINGS_AT_ONCE, loop_time)
        self._malformed = 0
        self._frames = 0
        self._heard = False
        self._silence = 0.0
        self._over = False
        self._ready = self._told_of_end = False
        self._announced_pause = session.recording_paused
        self.pause_awaited = False
        """Whether the client is owed the answer to a pause it asked for."""
        self.pauses_told = 0
        """How many answers, or news, of a pause it has been sent."""

    # --- life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the client or the server hangs up."""
        self.gateway.add(self)
        try:
            if await self._open():
                await self._read()
        finally:
            self.gateway.remove(self)
            self.gateway.hub.leave(self.session.id, self)
            self._controls.close()
            metrics.FRAMES.inc(self._frames)
            for track in self.tracks.values():
                track.finish(ended=self._told_of_end)

    async def _open(self) -> bool:
        speaker = self._speaker
        try:
            if speaker != "none":
                # Shielded: a claim that nobody knows of would never be released.
                await asyncio.shield(self._track(speaker).open())
        except SessionGone as gone:
            self._gone(ended=gone.ended)
            return False
        self.say(
            SessionReady(
                mode=self.session.mode,
                source_language=self.session.source_language,
                target_language=self.session.target_language,
                speaker=self._speaker,
                resumed=self._resumed(),
            )
        )
        if speaker != "none" and self.gateway.expected_delay > DELAY_TOLD:
            message = "Many people are talking: transcripts are late, nothing is lost."
            self.say(StreamWarning("transcription_delayed", message))
        self._ready = True
        # Only now: session.ready comes first. The look brings what has happened since the session
        # was read.
        self.gateway.hub.join(self.session.id, self)
        self.gateway.hub.look(self.session.id)
        if self.gateway.draining:
            self.go_away()
        return True

    def _resumed(self) -> bool:
        claims = [track.claim for track in self.tracks.values() if track.claim is not None]
        return self.session.started_at is not None or any(claim.zero for claim in claims)

    def _track(self, speaker: Speaker) -> LiveTrack:
        """The track of a speaker on this connection, claimed as soon as it is spoken of."""
        track = self.tracks.get(speaker)
        if track is None:
            track = LiveTrack(self.gateway, self.session, speaker, self._owner, self._clock)
            self.tracks[speaker] = track
            self._controls.apply_to(track)
            track.open().add_done_callback(self._opened)
        return track

    def _opened(self, opening: asyncio.Task[None]) -> None:
        error = None if opening.cancelled() else opening.exception()
        if isinstance(error, SessionGone):
            self._gone(ended=error.ended)
        elif error is not None:
            log.error("a track of %s could not be claimed", self.session.id, exc_info=error)
            self.close(1011)
        elif self._ready:
            # It has not been told of what came between its claim and now: a pause, the end.
            self.gateway.hub.look(self.session.id)

    # --- in ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        """The hot path. For a frame: decode, count, feed; nothing that waits."""
        receive, decode, bucket = self._receive, self._codec.decode, self._messages
        since_yield = 0
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            data: str | bytes = event.get("text") or event.get("bytes") or b""
            size = len(data)
            self._heard = True
            if self._over or size > limits.LARGEST_MESSAGE:
                self._refuse_more(size)
                continue
            try:
                messages = decode(data)
            except ProtocolError as error:
                self._misunderstood(error)
                messages = []
            else:
                self._malformed = 0
                for message in messages:
                    if type(message) is AudioInput:
                        self._hear(message.frames)
                    else:
                        self._handle(message)
            bucket.tokens -= 1 + size // limits.BYTES_PER_TOKEN
            if bucket.tokens < 0:
                await self._slow_down(messages, size)
            since_yield += 1
            if since_yield == YIELD_EVERY:
                since_yield = 0
                await self._let_others(size)

    def _hear(self, frames: tuple[AudioFrame, ...]) -> None:
        for frame in frames:
            track = self.tracks.get(frame.speaker)
            if track is None:
                if self._speaker == "none" or frame.speaker not in self._allowed:
                    self._misunderstood(self._may_not_speak(frame.speaker))
                    return
                track = self._track(frame.speaker)
            self._frames += 1
            track.feed(frame)

    def _may_not_speak(self, speaker: Speaker) -> ProtocolError:
        message = f"The token does not allow to speak as {speaker}."
        if self._speaker == "none":
            message = "This connection only listens (speaker=none): it takes no audio."
        return ProtocolError("invalid_field_value", message, "speaker")

    def _handle(self, message: ClientMessage) -> None:
        match message:
            case Ping():
                if self._pings.take():
                    self.say(Pong(message.timestamp_ms))
                else:
                    self._too_fast()
            case Control():
                self._controls.control(message.action)
            case EndSession():
                self._over = True
                self._controls.end_session(message.reason)
            case StreamStop():
                self.close(1000)

    def _refuse_more(self, size: int) -> None:
        if size > limits.LARGEST_MESSAGE and not self.outbox.closing:
            self.fail("invalid_field_value", "A frame may hold 64 KiB at most.", 4413)

    def _misunderstood(self, error: ProtocolError) -> None:
        self._malformed += 1
        self._messages.tokens -= limits.MALFORMED_COST
        self.say(SessionError(error.code, error.message, error.param))
        if self._malformed >= limits.MALFORMED_IN_A_ROW:
            self.close(4400)

    async def _slow_down(self, messages: list[ClientMessage], size: int) -> None:
        """More than a call sends: files are slowed down, floods are refused."""
        wait = self._messages.refill()
        if wait <= 0:
            return
        honest = messages and all(
            isinstance(message, AudioInput)
            and message.frames[0].format.duration(message.frames[0].payload) >= limits.HONEST_FRAME
            for message in messages
        )
        if not honest:
            self._too_fast()
            return
        await asyncio.sleep(min(wait, 1.0))
        self._check_unread(size)

    async def _let_others(self, size: int) -> None:
        await asyncio.sleep(0)
        now = self.gateway.clock.time()
        for track in self.tracks.values():
            while track.backlog_seconds > SPEECH_AHEAD and track.runs_ahead(now):
                # Not unheard: a long wait for us is not the client's silence.
                self._heard = True
                self._check_unread(size)
                if self.outbox.closing:
                    return
                await asyncio.sleep(0.2)
                now = self.gateway.clock.time()

    def _check_unread(self, size: int) -> None:
        unread = limits.unread_messages(self._receive)
        if unread > limits.WAITING_MESSAGES or unread * size > limits.WAITING_BYTES:
            self._too_fast()

    def _too_fast(self) -> None:
        self.fail("rate_limit_exceeded", "Too much too fast.", 4429, "rate_limit_error")

    def tick(self, seconds: float) -> None:
        """See ``gateway.OpenConnection``. Only who speaks must be heard from: whether a listener is
        still there, the server's own pings tell (``kallglot_site.sockets``)."""
        metrics.FRAMES.inc(self._frames)
        self._frames = 0
        if self._heard or self._speaker == "none":
            self._heard = False
            self._silence = 0.0
            return
        self._silence += seconds
        if self._silence >= settings.STREAM_SILENCE:
            self.close(4408)

    # --- out --------------------------------------------------------------------------------

    def say(self, message: ServerMessage) -> None:
        for encoded in self._codec.encode(message):
            self.outbox.put(encoded)

    def fail(
        self, code: str, message: str, close: int | None = None, type: str = "validation_error"
    ) -> None:
        self.say(SessionError(code, message, type=type))
        if close is not None:
            self.close(close)

    def could_not(self) -> None:
        """What the client asked for has failed for good, an end of the session perhaps."""
        self._over = self.outbox.closing or self._told_of_end
        message = "The server could not do that. Ask again."
        self.fail("internal_error", message, type="api_error")

    def close(self, code: int) -> None:
        self._over = True
        self.outbox.close(code)

    def go_away(self) -> None:
        self.close(1001)

    def _replaced(self) -> None:
        self.close(4410)

    def _gone(self, *, ended: bool) -> None:
        if ended and self._ready:
            # Not refused but ended: the next look says so, and with what reason.
            self.gateway.hub.look(self.session.id)
        else:
            self.close(4409 if ended else 4404)

    # --- news -------------------------------------------------------------------------------

    def deliver(self, event: SpokenEvent) -> None:
        """See ``hub.Listener``. Speech goes to the other party only."""
        if type(event) is AudioOutput and (self._speaker == "none" or event.speaker in self.tracks):
            return
        self.say(event)

    def observe(self, view: SessionView | None) -> None:
        if view is None:
            self._gone(ended=False)
            return
        paused = view.state.recording_paused
        if view.pause_settled and (paused != self._announced_pause or self.pause_awaited):
            self._announced_pause = paused
            self.pause_awaited = False
            self.pauses_told += 1
            self.say(SessionPaused() if paused else SessionResumed())
        if view.state.ended:
            self._end(view)

    def _end(self, view: SessionView) -> None:
        """Told at once; closed once everything that was said has come, to whom it comes at all."""
        self._over = True
        if not self._told_of_end:
            self._told_of_end = True
            self.say(SessionEnded(view.state.end_reason or "completed", view.state.duration))
            patience = settings.DRAIN_TIMEOUT + COMPLETE_WITHIN
            asyncio.get_running_loop().call_later(patience, self.outbox.close, 1000)
        if view.is_told(self.seen) or not self._codec.tells_transcripts:
            self.close(1000)
