"""One speaker's audio in this process: claim, pipeline, taps and release."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from typing import Final, Protocol

from django.conf import settings

from sessions_app.live_events import (
    FinalTranscript,
    PartialTranscript,
    PipelineEvent,
    SpokenEvent,
    StreamWarning,
)
from sessions_app.media import AudioFrame, PlacedFrame, Speaker
from sessions_app.services.claims import Beat, Claim, track_claim
from sessions_app.services.segments import SpokenSegment
from sessions_app.session_view import SessionView
from sessions_app.streaming.database import in_database
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.hearing.pipeline import PipelineOptions, TrackPipeline
from sessions_app.streaming.hearing.taps import AudioTap, TrackContext
from sessions_app.streaming.hearing.timeline import ClockMode, Timeline
from sessions_app.streaming.hearing.utterances import Voice
from sessions_app.streaming.live import track_rows
from sessions_app.streaming.live.context import ProcessContext
from sessions_app.streaming.live.early_audio import EarlyAudio, Switch
from sessions_app.streaming.live.owner import Owner, Switches, Told
from sessions_app.streaming.live.pause import RecordingPause
from sessions_app.streaming.live.segment_queue import SegmentQueue
from sessions_app.streaming.live.track_taps import TrackTaps

log = logging.getLogger(__name__)

FINISH_WITHIN: Final = 600.0
"""Seconds to finish transcribing after a connection was lost while its session continues."""

_SWITCHED: Final[dict[str, tuple[Switch, Switch]]] = {
    "muted": (TrackPipeline.unmute, TrackPipeline.mute),
    "transcription_paused": (
        TrackPipeline.resume_transcription,
        TrackPipeline.pause_transcription,
    ),
}
"""What each of ``Switches`` does when it is switched off, and on."""


class TrackHost(Protocol):
    """What a track needs of its live session."""

    id: str
    context: ProcessContext
    pause: RecordingPause
    segments: SegmentQueue

    def speaking(self, speaker: Speaker) -> "LiveTrack | None":
        """The track that holds the speaker's claim in this process."""

    def track_claimed(self, track: "LiveTrack") -> None: ...

    def track_released(self, track: "LiveTrack") -> None: ...

    @property
    def epoch(self) -> float:
        """Unix time at which the clock was 0, the same for all tracks of the session here."""

    def publish(self, event: SpokenEvent) -> None: ...

    def audible_to(self, speaker: Speaker) -> list[SpokenAudio]:
        """What a party can hear, so that its line may return it."""

    def voice_watch(self, speaker: Speaker) -> Callable[[Voice], None] | None:
        """What is told of a party's voice with every frame; None: nobody needs to know."""

    def partly_said(self, partial: PartialTranscript) -> None:
        """This track is hearing an utterance."""

    def said(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        """A final of this track is being stored."""

    async def all_said(self, speaker: Speaker) -> None:
        """Wait until all that a party has said is stored."""

    async def heard_out(self, speaker: Speaker) -> None:
        """Wait until a party has heard what is finished for it at the end of the session."""


class LiveTrack:
    """Made when a connection begins to speak for a party (``LiveSession.open_track``).

    ``feed`` works at once: audio waits until the track is claimed and the session's zero is known.
    A finished track transcribes its remaining audio, then seals itself and releases its claim.
    """

    def __init__(
        self,
        host: TrackHost,
        speaker: Speaker,
        *,
        owner: Owner,
        clock_mode: ClockMode,
        options: PipelineOptions,
        made_speech: bool = False,
    ) -> None:
        self.session_id = host.id
        self.speaker: Speaker = speaker
        self.claim: Claim | None = None
        self._host = host
        self._owner = owner
        self.clock_mode: ClockMode = clock_mode
        self._options = options
        self._made_speech = made_speech
        self._pipeline: TrackPipeline | None = None
        self._taps = TrackTaps()
        self._spoken_until = 0.0
        self._monitors: AudioTap | None = None
        self._early = EarlyAudio()
        self._starting: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._handing_over: asyncio.Task[None] | None = None
        self._handed_over_late: asyncio.Task[None] | None = None
        self._position = 0.0
        self._before = Switches()
        self._switched: dict[str, bool] = {}
        self.told_before = Told()
        """What the previous owner's client had certainly received."""
        self._heard = False
        self._replaced = False
        self._ended = False
        self.opening = asyncio.create_task(self._open())
        """Claims the track. Raises ``SessionGone`` when its session has ended or was erased."""

    # --- the hot path -----------------------------------------------------------------------

    def feed(self, frame: AudioFrame) -> None:
        """Take the speaker's next frame. Never waits."""
        self._heard = True
        if self._pipeline is not None:
            self._pipeline.feed(frame)
        else:
            self._keep_early(frame)

    def hears(self, frame: PlacedFrame) -> None:
        """The party has heard a block of speech that was made for it."""
        self._spoken_until = frame.end
        if not self._host.pause.active:
            self._taps.write_speech(frame)

    @property
    def backlog_seconds(self) -> float:
        """Seconds of finished speech not yet transcribed."""
        return self._pipeline.backlog_seconds if self._pipeline is not None else 0.0

    @property
    def position(self) -> float:
        """End of the track, seconds on the session's timeline."""
        return self._pipeline.position if self._pipeline is not None else self._position

    @property
    def latest(self) -> float:
        """The same, or the end of what was spoken to the party, if that is later."""
        return max(self.position, self._spoken_until)

    @property
    def generation(self) -> int:
        """Of its claim; 0 before it has one."""
        return self.claim.generation if self.claim is not None else 0

    @property
    def told(self) -> Told:
        """What the speaker's client has certainly received."""
        return self._owner.told().or_before(self.told_before)

    @property
    def spoken(self) -> SpokenAudio | None:
        """The speaker's recent audio; None: none yet."""
        return self._pipeline.spoken if self._pipeline is not None else None

    @property
    def zero(self) -> float | None:
        """The session's zero in the clock's seconds; None: not known yet."""
        return self._pipeline.timeline.zero if self._pipeline is not None else None

    def runs_ahead(self, now: float) -> bool:
        """Whether audio arrives faster than real time."""
        zero = self.zero
        return zero is not None and self.position > now - zero + 1.0

    # --- opening ----------------------------------------------------------------------------

    async def begun(self) -> None:
        """Wait until the audio fed so far has its place on the timeline, or was dropped."""
        await asyncio.wait({self.opening})
        # Read after opening, which may have set it.
        if self._starting is not None:
            await asyncio.wait({self._starting})

    async def _open(self) -> None:
        previous = self._host.speaking(self.speaker)
        position = 0.0
        if previous is not None:
            previous.stop_speaking()
            await previous.begun()
            position = previous.position
        claim = self.claim = await in_database(
            track_claim,
            session_id=self.session_id,
            speaker=self.speaker,
            owner=self._owner.name,
            position=position,
        )
        self._position = claim.position
        self.told_before = Told(claim.told_sequence, claim.told_translation)
        self._before = Switches(claim.muted, claim.transcription_paused)
        if previous is not None and previous.generation != claim.generation - 1:
            previous = None  # the speaker has been elsewhere since, and the row knows more
        if previous is not None:
            # The row may not hold these yet.
            self.told_before = previous.told.or_before(self.told_before)
            self._before = previous.switches
            self._switched = {**previous._switched, **self._switched}
        self._host.track_claimed(self)
        context = TrackContext(
            session_id=self.session_id,
            track_id=claim.track_id,
            speaker=self.speaker,
            generation=claim.generation,
            recording_enabled=claim.recording_enabled,
            warn=self._owner.warn,
        )
        await self._taps.open(context, made_speech=self._made_speech)
        if previous is None and claim.generation > 1:
            await self._take_over(claim)
        if claim.zero is not None:
            self._begin(claim.zero, claim.media_zero_ms)
        elif (first := self._early.first) is not None:
            self._start(first)

    async def _take_over(self, claim: Claim) -> None:
        """Go on where an owner on another server has stopped."""
        handed_over = await track_rows.await_handover(claim) if claim.handover else None
        if handed_over is None:
            self._handed_over_late = asyncio.create_task(self._switch_late(claim))
            return
        self._position = max(self._position, handed_over.position)
        self.told_before = Told(handed_over.told_sequence, handed_over.told_translation)
        self._before = Switches(handed_over.muted, handed_over.transcription_paused)

    async def _switch_late(self, claim: Claim) -> None:
        handed_over = await track_rows.await_late_handover(claim)
        late = Switches(handed_over.muted, handed_over.transcription_paused)
        for name, on in late._asdict().items():
            # What the client has switched on this connection is newer.
            if on != getattr(self._before, name) and name not in self._switched:
                self._set(name, on)

    def _keep_early(self, frame: AudioFrame) -> None:
        if self._finishing is not None:
            return
        if not self._early.add(frame):
            message = "Audio was dropped: the session could not be started in time."
            self._owner.warn(StreamWarning("audio_dropped", message, self.speaker))
            return
        if self.opening.done() and self.claim is not None:
            self._start(frame)

    def _start(self, first: AudioFrame) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_session(first))

    async def _start_session(self, first: AudioFrame) -> None:
        zero = await track_rows.start_session(
            self.session_id, self._host.epoch + first.arrived, first.timestamp_ms
        )
        if zero is None:
            self._owner.session_gone()
        else:
            self._begin(zero.started_at, zero.media_zero_ms)

    def _begin(self, started_at: datetime.datetime, media_zero_ms: int | None) -> None:
        self._pipeline = pipeline = TrackPipeline(
            speaker=self.speaker,
            transcriber=self._host.context.transcriber,
            emit=self._emit,
            clock=self._host.context.clock,
            timeline=Timeline(
                zero=started_at.timestamp() - self._host.epoch,
                position=self._position,
                clock_mode=self.clock_mode,
                media_zero_ms=media_zero_ms,
            ),
            taps=self._taps.voice,
            options=self._options,
            audible=lambda: self._host.audible_to(self.speaker),
        )
        pipeline.on_voice = self._host.voice_watch(self.speaker)
        if self._monitors is not None:
            pipeline.add_tap(self._monitors)
        if self.claim is not None:
            self._begin_as_claimed(pipeline, self.claim)
        self._early.feed_to(pipeline)

    def _begin_as_claimed(self, pipeline: TrackPipeline, claim: Claim) -> None:
        """Apply the pause and switches that were set when the track was claimed."""
        if claim.paused:
            pipeline.pause_recording()
        for name, on in self._before._asdict().items():
            if on:
                _SWITCHED[name][on](pipeline)

    # --- events -----------------------------------------------------------------------------

    def _emit(self, event: PipelineEvent) -> None:
        if isinstance(event, FinalTranscript):
            assert self.claim is not None
            spoken = SpokenSegment(self.claim.track_id, self.claim.generation, event)
            self._host.segments.add(spoken)
            self._host.said(event, self.spoken)
        elif isinstance(event, StreamWarning):
            self._owner.warn(event)
        elif isinstance(event, PartialTranscript):
            if self._options.partials:
                self._host.publish(event)
            self._host.partly_said(event)
        else:
            self._host.publish(event)

    def beat(self) -> Beat | None:
        """What the gateway's heartbeat stores; None: the track is not claimed."""
        if self.claim is None:
            return None
        heard, self._heard = self._heard, False
        return Beat(
            self.claim, self.position, heard, self._replaced, *self.told, latest=self.latest
        )

    # --- switches ---------------------------------------------------------------------------

    def _switch(self, switch: Switch) -> None:
        """Switch now, or in order with the audio that still waits."""
        if self._pipeline is not None:
            switch(self._pipeline)
        else:
            self._early.add_switch(switch)

    def pause_recording(self, paused: bool) -> None:
        """Called by ``pause.RecordingPause`` alone."""
        self._switch(TrackPipeline.pause_recording if paused else TrackPipeline.resume_recording)

    @property
    def switches(self) -> Switches:
        """The speaker's current switches, whichever connection set them."""
        return self._before._replace(**self._switched)

    def mute(self, muted: bool) -> None:
        self._set("muted", muted)

    def pause_transcription(self, paused: bool) -> None:
        self._set("transcription_paused", paused)

    def _set(self, name: str, on: bool) -> None:
        self._switched[name] = on
        self._switch(_SWITCHED[name][on])

    def listen_in(self, tap: AudioTap | None) -> None:
        """Also write every frame to ``tap`` from now on; None: stop."""
        before, self._monitors = self._monitors, tap
        if self._pipeline is None:
            return
        if before is not None:
            self._pipeline.remove_tap(before)
        if tap is not None:
            self._pipeline.add_tap(tap)

    # --- the claim --------------------------------------------------------------------------

    def observe(self, view: SessionView | None) -> None:
        """See ``fanout.Observer``."""
        claim = self.claim
        if claim is None:
            return
        if view is None:
            self.finish(ended=True)
        elif view.track_of(claim) is None:
            self._lose(claim)
        elif view.state.ended:
            self.finish(ended=True)

    def _lose(self, claim: Claim) -> None:
        """Another connection, perhaps on another server, has claimed the track."""
        if self._handing_over is None:
            self._handing_over = asyncio.create_task(
                track_rows.hand_over(
                    claim, position=self.position, told=self.told, switches=self._switched
                )
            )
        self.stop_speaking()

    def stop_speaking(self) -> None:
        """Another connection has taken over: accept no more audio from this owner."""
        if not self._replaced:
            self._replaced = True
            self._owner.replaced()
        self.finish()

    # --- the end ----------------------------------------------------------------------------

    def finish(self, *, ended: bool = False) -> asyncio.Task[None]:
        """Take no more audio, transcribe the rest, seal, release the claim. May be called again."""
        self._ended = self._ended or ended
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())
        return self._finishing

    async def _finish(self) -> None:
        try:
            await self.begun()
            if self._handed_over_late is not None:
                self._handed_over_late.cancel()
            await self._drain()
        except Exception:
            log.exception("a track of %s could not be finished", self.session_id)
        finally:
            if self.claim is not None:
                await track_rows.release(
                    self.claim,
                    position=self.position,
                    latest=self.latest,
                    told=self.told,
                    switches=self._switched,
                )
            self._host.track_released(self)

    async def _drain(self) -> None:
        pipeline = self._pipeline
        if pipeline is None:  # no audio came, but the taps know of the claim
            await self._close_taps()
            return
        began = self._host.context.clock.time()
        drained = await pipeline.drain(0.0)  # from here on it accepts no more audio
        closing = asyncio.create_task(self._close_taps())
        while not drained:
            drained = await pipeline.drain(0.5)
            hurried = self._ended or self._host.context.draining
            limit = settings.DRAIN_TIMEOUT if hurried else FINISH_WITHIN
            if self._host.context.clock.time() - began > limit:
                log.warning("gave up %.0f s of speech of %s", self.backlog_seconds, self.session_id)
                break
        self._position = pipeline.position
        pipeline.close()
        await closing
        await self._host.all_said(self.speaker)

    async def _close_taps(self) -> None:
        await self._taps.close_voice()
        if self._ended:
            await self._host.heard_out(self.speaker)
        await self._taps.close_speech()
