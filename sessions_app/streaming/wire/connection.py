"""One client's connection to a session, once its token has been accepted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from django.conf import settings

from kallglot_site.sockets import close_codes
from kallglot_site.sockets.token_bucket import TokenBucket
from sessions_app.live_events import SessionEnded, SpokenEvent, StreamWarning
from sessions_app.media import AudioFormat, AudioFrame, Speaker
from sessions_app.models import Session
from sessions_app.services.claims import SessionGone
from sessions_app.session_view import SessionView
from sessions_app.streaming import metrics
from sessions_app.streaming.hearing.timeline import ClockMode
from sessions_app.streaming.live.gateway import DELAY_TOLD, Gateway
from sessions_app.streaming.live.owner import Owner, Told
from sessions_app.streaming.live.track import LiveTrack
from sessions_app.streaming.wire import limits
from sessions_app.streaming.wire.controls import Controls
from sessions_app.streaming.wire.listening import Listening
from sessions_app.streaming.wire.outbox import Outbox
from sessions_app.streaming.wire.protocols.base import (
    AudioInput,
    AudioPlayed,
    ClientMessage,
    Codec,
    Control,
    EndSession,
    ListeningSpeaker,
    Ping,
    Pong,
    ProtocolError,
    ServerMessage,
    SessionError,
    SessionReady,
    StreamStop,
)

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

YIELD_EVERY: Final = 16
"""Messages handled before the event loop serves other connections, if more are waiting."""

SPEECH_AHEAD: Final = 120.0
"""Seconds of speech waiting for transcription, from which a client that sends faster than real time
is slowed down."""

COMPLETE_WITHIN: Final = 20.0
"""Seconds beyond the drain after which an ended connection closes, complete or not."""


class Connection:
    """Reads frames and sends messages. ``run`` lasts as long as the WebSocket.

    A frame costs no query and no change of thread: see ``_read``.

    Args:
        speaker: whose audio frames carry unless they name a speaker; ``none``: no audio is taken.
        allowed: the speakers that the token allows.
        since: the last segment that the client says it has; None: it does not say.
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
        since: int | None,
        receive: Receive,
        outbox: Outbox,
    ) -> None:
        self.session = session
        self.gateway = gateway
        self.live = gateway.session(session.id)
        self.tracks: dict[Speaker, LiveTrack] = {}
        self.seen: int | None = session.segment_count
        self.seen_translation: int | None = session.translation_count
        self.outbox = outbox
        self._codec = codec
        self._speaker: ListeningSpeaker = speaker
        self._allowed = allowed
        self._clock: ClockMode = clock
        self._since = since
        self._told = Told()
        self._receive = receive
        self.output_format = AudioFormat("mulaw", 8000)
        """What the client is spoken to in: as it speaks itself."""
        self._controls = Controls(self, self.live)
        self._listening = Listening(self, self.live, session, speaker)
        self._owner = Owner(
            gateway.connection_name(),
            warn=self.deliver,
            told=lambda: self._told,
            replaced=self._replaced,
            session_gone=lambda: self._gone(ended=True),
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

    # --- life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until the client or the server closes the connection."""
        self.live.connect(self)
        try:
            if await self._open():
                await self._read()
        finally:
            metrics.FRAMES.inc(self._frames)
            for track in self.tracks.values():
                track.finish(ended=self._told_of_end)
            self._listening.close()
            finishing = self._controls.close()
            self.live.pause.unfollow(self)
            self.live.unfollow(self)
            if finishing is None:
                self.live.disconnect(self)
            else:
                # Until a pause that was asked for last is stored, only the live session knows it.
                finishing.add_done_callback(lambda _: self.live.disconnect(self))

    async def _open(self) -> bool:
        speaker = self._speaker
        try:
            if speaker != "none":
                # Shielded: a claim cancelled here would never be released.
                await asyncio.shield(self._track(speaker).opening)
        except SessionGone as gone:
            self._gone(ended=gone.ended)
            return False
        told = self._told_before()
        self.seen, self.seen_translation = told
        ready = self._session_ready(told.sequence or 0)
        self.say(ready)
        if speaker != "none" and self.gateway.expected_delay > DELAY_TOLD:
            message = "This server is busy: transcripts are delayed, but none is lost."
            self.say(StreamWarning("transcription_delayed", message))
        self._ready = True
        self._told = told
        # Not earlier: session.ready must be the first message. The read finds what has changed
        # since the session was read for this connection.
        self.live.pause.follow(self, paused=ready.recording_paused)
        self._listening.open()
        self.live.follow(self)
        self.live.look()
        if self.gateway.draining:
            self.go_away()
        return True

    def _told_before(self) -> Told:
        """What the client need not be sent: as the client says, else as the previous connection
        stored it, else the session's latest."""
        track = None if self._speaker == "none" else self.tracks.get(self._speaker)
        before = Told() if track is None else track.told_before
        if self._since is not None:
            before = Told(min(self._since, self.session.segment_count), before.translation)
            if before.translation is None and self._since < self.session.segment_count:
                before = Told(before.sequence, 0)
        return before.or_before(Told(self.session.segment_count, self.session.translation_count))

    def _session_ready(self, sequence: int) -> SessionReady:
        claims = [track.claim for track in self.tracks.values() if track.claim is not None]
        switches = [track.switches for track in self.tracks.values()]
        return SessionReady(
            mode=self.session.mode,
            source_language=self.session.source_language,
            target_language=self.session.target_language,
            speaker=self._speaker,
            resumed=self.session.started_at is not None or any(each.zero for each in claims),
            sequence=sequence,
            recording_paused=self.live.pause.active
            or self.session.recording_paused
            or any(each.paused for each in claims),
            muted=any(each.muted for each in switches),
            transcription_paused=any(each.transcription_paused for each in switches),
        )

    def _track(self, speaker: Speaker) -> LiveTrack:
        """The track of a speaker on this connection, opened when it is first needed."""
        track = self.tracks.get(speaker)
        if track is None:
            track = self.live.open_track(
                self.session, speaker, owner=self._owner, clock_mode=self._clock
            )
            self.tracks[speaker] = track
            self._controls.apply_to(track)
            track.opening.add_done_callback(self._opened)
        return track

    def _opened(self, opening: asyncio.Task[None]) -> None:
        error = None if opening.cancelled() else opening.exception()
        if isinstance(error, SessionGone):
            self._gone(ended=error.ended)
        elif error is not None:
            log.error("a track of %s could not be claimed", self.session.id, exc_info=error)
            self.close(close_codes.SERVER_FAULT)

    # --- in ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        """The hot path: a frame is decoded, counted and fed to its track. Nothing here waits."""
        receive, decode, bucket = self._receive, self._codec.decode, self._messages
        since_yield = 0
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            data: str | bytes = event.get("text") or event.get("bytes") or b""
            size = len(data)
            self._heard = True
            # A client that sends has received what it was sent before.
            self._told = Told(self.seen, self.seen_translation)
            if self._over or size > limits.LARGEST_MESSAGE:
                self._refuse_more(size)
                continue
            try:
                messages = decode(data)
            except ProtocolError as error:
                self._malformed_message(error)
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
                await self._yield_to_others(size)

    def _hear(self, frames: tuple[AudioFrame, ...]) -> None:
        for frame in frames:
            track = self.tracks.get(frame.speaker)
            if track is None:
                if self._speaker == "none" or frame.speaker not in self._allowed:
                    self._malformed_message(self._may_not_speak(frame.speaker))
                    return
                track = self._track(frame.speaker)
            if frame.format is not self.output_format:
                self.output_format = frame.format
            self._frames += 1
            track.feed(frame)

    def _may_not_speak(self, speaker: Speaker) -> ProtocolError:
        message = f"The token does not allow speaking as {speaker}."
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
            case AudioPlayed():
                self._played(message)
            case Control():
                self._controls.control(message.action)
            case EndSession():
                self._over = True
                self._controls.end_session(message.reason)
            case StreamStop():
                self.close(close_codes.NORMAL)

    def _played(self, message: AudioPlayed) -> None:
        if not self._listening.played(message.segment_id, message.sequence):
            text = "This connection was sent no audio.output with this segment_id and sequence."
            self._malformed_message(ProtocolError("invalid_field_value", text, "sequence"))

    def _refuse_more(self, size: int) -> None:
        if size > limits.LARGEST_MESSAGE and not self.outbox.closing:
            self.fail(
                "invalid_field_value", "A frame may hold 64 KiB at most.", close_codes.TOO_LARGE
            )

    def _malformed_message(self, error: ProtocolError) -> None:
        self._malformed += 1
        self._messages.tokens -= limits.MALFORMED_COST
        self.say(SessionError(error.code, error.message, error.param))
        if self._malformed >= limits.MALFORMED_IN_A_ROW:
            self.close(close_codes.PROTOCOL_VIOLATION)

    async def _slow_down(self, messages: list[ClientMessage], size: int) -> None:
        """The client sends more than a call does: slow down a file's audio, refuse a flood."""
        wait = self._messages.refill()
        if wait <= 0:
            return
        is_audio = messages and all(
            isinstance(message, AudioInput)
            and message.frames[0].format.duration(message.frames[0].payload)
            >= limits.SHORTEST_AUDIO_FRAME
            for message in messages
        )
        if not is_audio:
            self._too_fast()
            return
        await asyncio.sleep(min(wait, 1.0))
        self._check_unread(size)

    async def _yield_to_others(self, size: int) -> None:
        await asyncio.sleep(0)
        now = self.gateway.clock.time()
        for track in self.tracks.values():
            while track.backlog_seconds > SPEECH_AHEAD and track.runs_ahead(now):
                # The client waits for the server, which does not count as silence.
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
        self.fail(
            "rate_limit_exceeded", "Too many messages.", close_codes.TOO_FAST, "rate_limit_error"
        )

    def tick(self, seconds: float) -> None:
        """See ``session.OpenConnection``. Only speakers must send something: a lost listener is
        detected by the server's pings (``kallglot_site.sockets``)."""
        metrics.FRAMES.inc(self._frames)
        self._frames = 0
        if self._heard or self._speaker == "none":
            self._heard = False
            self._silence = 0.0
            return
        self._silence += seconds
        if self._silence >= settings.STREAM_SILENCE:
            self.close(close_codes.SILENT)

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
        """The client's request has failed and is not retried."""
        self._over = self.outbox.closing or self._told_of_end
        message = "The server could not do that. Ask again."
        self.fail("internal_error", message, type="api_error")

    def close(self, code: int) -> None:
        self._over = True
        self.outbox.close(code)

    def go_away(self) -> None:
        # Messages already sent arrive before the close.
        self._told = Told(self.seen, self.seen_translation)
        self.close(close_codes.GOING_AWAY)

    def _replaced(self) -> None:
        self._listening.close()  # while what was heard so far can still be recorded
        self.close(close_codes.REPLACED)

    def _gone(self, *, ended: bool) -> None:
        if ended and self._ready:
            # It ended while the client was connected: the next read finds the end and its reason.
            self.live.look()
        else:
            self.close(close_codes.SESSION_ENDED if ended else close_codes.NO_SUCH_OBJECT)

    # --- what happens in the session --------------------------------------------------------

    def deliver(self, event: SpokenEvent) -> None:
        """See ``fanout.Follower``."""
        if (told := self._listening.told(event)) is not None:
            self.say(told)

    def observe(self, view: SessionView | None) -> None:
        if view is None:
            self._gone(ended=False)
            return
        self._listening.observe(view)
        if view.state.ended:
            self._end(view)

    def _end(self, view: SessionView) -> None:
        """Announce the end at once. Close when the transcript is complete, for its readers."""
        self._over = True
        if not self._told_of_end:
            self._told_of_end = True
            self.say(SessionEnded(view.state.end_reason or "completed", view.state.duration))
            wait = settings.DRAIN_TIMEOUT + COMPLETE_WITHIN
            loop = asyncio.get_running_loop()
            loop.call_later(wait, self.outbox.close, close_codes.NORMAL)
        if self._listening.is_speaking:
            return
        if view.is_told(self.seen, self.seen_translation) or not self._codec.tells_transcripts:
            self.close(close_codes.NORMAL)
