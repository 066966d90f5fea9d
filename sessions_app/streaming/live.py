"""One speaker's audio as this process holds it: claim, pipeline, taps, and letting go."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings

from sessions_app.lifecycle import SpokenSegment, session_start
from sessions_app.models import Session
from sessions_app.streaming.database import in_database
from sessions_app.streaming.events import (
    FinalTranscript,
    PipelineEvent,
    Speaker,
    StreamWarning,
)
from sessions_app.streaming.media import AudioFrame
from sessions_app.streaming.news import SessionView, SpokenEvent
from sessions_app.streaming.pauses import RecordingPause
from sessions_app.streaming.pipeline import PipelineOptions, TrackPipeline
from sessions_app.streaming.taps import AudioTap, TrackContext, taps_close, taps_for
from sessions_app.streaming.timeline import ClockMode, Timeline
from sessions_app.streaming.tracks import (
    Beat,
    Claim,
    track_claim,
    track_hand_over,
    track_pause_applied,
    track_position_after_handover,
    track_release,
)
from sessions_app.streaming.waiting import Switch, WaitingAudio

if TYPE_CHECKING:
    from sessions_app.streaming.gateway import Gateway

log = logging.getLogger(__name__)

HANDOVER_WAIT: Final = 1.0
"""Seconds to wait for a replaced owner on another server to say where its audio ends."""

FINISH_WITHIN: Final = 600.0
"""Seconds to finish transcribing after a connection was lost and its session goes on."""

RELEASE_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection that speaks, as its track sees it."""

    name: str
    warn: Callable[[StreamWarning], None]
    replaced: Callable[[], None]
    session_gone: Callable[[], None]


class LiveTrack:
    """Created when a connection begins to speak for somebody; ``feed`` at once, ``open`` soon.

    Audio waits until the claim is held and the session's zero known. A track that is finished
    goes on transcribing what it has, then seals itself and lets go.
    """

    def __init__(
        self, gateway: "Gateway", session: Session, speaker: Speaker, owner: Owner, clock: ClockMode
    ) -> None:
        self.session_id = session.id
        self.speaker: Speaker = speaker
        self.seen: int | None = None
        self.claim: Claim | None = None
        self._gateway = gateway
        self._owner = owner
        self._clock_mode: ClockMode = clock
        self._options = _pipeline_options(session, speaker)
        self._pipeline: TrackPipeline | None = None
        self._taps: list[AudioTap] = []
        self._monitors: AudioTap | None = None
        self._waiting = WaitingAudio()
        self._opening: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._position = 0.0
        self._heard = False
        self._replaced = False
        self._ended = False
        self.recording_pause = RecordingPause(self._switch)

    # --- the hot path -----------------------------------------------------------------------

    def feed(self, frame: AudioFrame) -> None:
        """Take the speaker's next frame. Never waits."""
        self._heard = True
        if self._pipeline is not None:
            self._pipeline.feed(frame)
        else:
            self._wait(frame)

    @property
    def backlog_seconds(self) -> float:
        """Seconds of finished speech not yet transcribed."""
        return self._pipeline.backlog_seconds if self._pipeline is not None else 0.0

    @property
    def position(self) -> float:
        """End of the track, seconds on the session's timeline."""
        return self._pipeline.position if self._pipeline is not None else self._position

    @property
    def generation(self) -> int:
        """Of its claim; 0: there is none yet."""
        return self.claim.generation if self.claim is not None else 0

    def runs_ahead(self, now: float) -> bool:
        """Whether audio is sent faster than real time."""
        zero = self._pipeline.timeline.zero if self._pipeline is not None else None
        return zero is not None and self.position > now - zero + 1.0

    # --- opening ----------------------------------------------------------------------------

    def open(self) -> asyncio.Task[None]:
        """Claim the track. The task raises ``SessionGone`` when there is nothing to speak in."""
        if self._opening is None:
            self._gateway.add_track(self)
            self._opening = asyncio.create_task(self._open())
        return self._opening

    async def begun(self) -> None:
        """Wait until what was fed so far is placed on the timeline, or never will be."""
        if self._opening is not None:
            await asyncio.wait({self._opening})
        # Read only now: opening may have begun it.
        if self._starting is not None:
            await asyncio.wait({self._starting})

    async def _open(self) -> None:
        previous = self._gateway.speaking(self.session_id, self.speaker)
        position = 0.0
        if previous is not None:
            previous.give_way()
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
        self.recording_pause.claimed(claim.paused)
        self._gateway.track_claimed(self)
        context = TrackContext(
            session_id=self.session_id,
            track_id=claim.track_id,
            speaker=self.speaker,
            generation=claim.generation,
            recording_enabled=claim.recording_enabled,
            warn=self._owner.warn,
        )
        self._taps = await asyncio.to_thread(taps_for, context)
        if claim.handover and previous is None:
            await self._await_handover(claim)
        if claim.zero is not None:
            self._begin(claim.zero.timestamp(), claim.media_zero_ms)
        elif (first := self._waiting.first) is not None:
            self._start(first)

    async def _await_handover(self, claim: Claim) -> None:
        for _ in range(20):
            position = await in_database(track_position_after_handover, claim)
            if position is not None:
                self._position = max(self._position, position)
                return
            await asyncio.sleep(HANDOVER_WAIT / 20)

    def _wait(self, frame: AudioFrame) -> None:
        if self._finishing is not None:
            return
        if not self._waiting.add(frame):
            message = "Audio was dropped: the session could not be started in time."
            self._owner.warn(StreamWarning("audio_dropped", message, self.speaker))
            return
        opened = self._opening is not None and self._opening.done() and self.claim is not None
        if opened and self._starting is None:
            self._start(frame)

    def _start(self, first: AudioFrame) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_session(first))

    async def _start_session(self, first: AudioFrame) -> None:
        """Tell the database that the first audio is here; learn the session's zero from it."""
        arrived_at = datetime.datetime.fromtimestamp(first.arrived, datetime.UTC)
        backoff = 0.2
        while True:
            try:
                zero = await in_database(
                    session_start,
                    session_id=self.session_id,
                    arrived_at=arrived_at,
                    media_zero_ms=first.timestamp_ms,
                )
                break
            except Exception:
                log.exception("could not start session %s", self.session_id)
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, 5.0)
        if zero is None:
            self._owner.session_gone()
            return
        self._begin(zero.started_at.timestamp(), zero.media_zero_ms)

    def _begin(self, zero: float, media_zero_ms: int | None) -> None:
        self._pipeline = pipeline = TrackPipeline(
            speaker=self.speaker,
            transcriber=self._gateway.transcriber,
            emit=self._emit,
            clock=self._gateway.clock,
            timeline=Timeline(
                zero=zero,
                position=self._position,
                clock_mode=self._clock_mode,
                media_zero_ms=media_zero_ms,
            ),
            taps=self._taps,
            options=self._options,
        )
        if self._monitors is not None:
            pipeline.add_tap(self._monitors)
        if self.claim is not None and self.claim.paused:
            pipeline.pause_recording()
        self._waiting.pour_into(pipeline)

    # --- what it says -----------------------------------------------------------------------

    def _emit(self, event: PipelineEvent) -> None:
        if isinstance(event, FinalTranscript):
            assert self.claim is not None
            spoken = SpokenSegment(self.claim.track_id, self.claim.generation, event)
            self._gateway.segments.add(self.session_id, spoken)
        elif isinstance(event, StreamWarning):
            self._owner.warn(event)
        else:
            self._gateway.hub.publish(self.session_id, event)

    def beat(self) -> Beat | None:
        """What the gateway's heartbeat is to store; None: nothing is claimed."""
        if self.claim is None:
            return None
        heard, self._heard = self._heard, False
        return Beat(self.claim, self.position, heard, self._replaced)

    # --- switches ---------------------------------------------------------------------------

    def _switch(self, switch: Switch) -> None:
        """Now, or in its place among the audio that still waits."""
        if self._pipeline is not None:
            switch(self._pipeline)
        else:
            self._waiting.add_switch(switch)

    def mute(self, muted: bool) -> None:
        self._switch(TrackPipeline.mute if muted else TrackPipeline.unmute)

    def pause_transcription(self, paused: bool) -> None:
        self._switch(
            TrackPipeline.pause_transcription if paused else TrackPipeline.resume_transcription
        )

    def listen_in(self, tap: AudioTap | None) -> None:
        """See ``monitors.MonitoredTrack``."""
        before, self._monitors = self._monitors, tap
        if self._pipeline is None:
            return
        if before is not None:
            self._pipeline.remove_tap(before)
        if tap is not None:
            self._pipeline.add_tap(tap)

    # --- what it hears ----------------------------------------------------------------------

    def deliver(self, event: SpokenEvent) -> None:
        """A track only talks."""

    def observe(self, view: SessionView | None) -> None:
        claim = self.claim
        if claim is None:
            return
        if view is None:
            self.finish(ended=True)
            return
        ours = next((track for track in view.tracks if track.id == claim.track_id), None)
        if ours is None or ours.generation != claim.generation:
            self.lose()
            return
        wanted = view.state.recording_paused
        self.recording_pause.observe(wanted)
        if ours.pause_applied != self.recording_pause.active == wanted:
            self._in_background(track_pause_applied, claim=claim, paused=wanted)
        if view.state.ended:
            self.finish(ended=True)

    def lose(self) -> None:
        """Another connection, perhaps on another server, speaks from now on."""
        if not self._replaced and self._finishing is None and self.claim is not None:
            self._in_background(track_hand_over, claim=self.claim, position=self.position)
        self.give_way()

    def give_way(self) -> None:
        """No more audio from this owner."""
        if not self._replaced:
            self._replaced = True
            self._owner.replaced()
        self.finish()

    # --- the end ----------------------------------------------------------------------------

    def finish(self, *, ended: bool = False) -> asyncio.Task[None]:
        """Take no more audio, transcribe the rest, seal, let go. May be called again."""
        self._ended = self._ended or ended
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())
        return self._finishing

    async def _finish(self) -> None:
        try:
            await self.begun()
            await self._drain()
        except Exception:
            log.exception("a track of %s could not be finished", self.session_id)
        finally:
            await self._release()
            self._gateway.remove_track(self)

    async def _drain(self) -> None:
        pipeline = self._pipeline
        if pipeline is None:  # nobody spoke, but the taps know of the claim
            await asyncio.to_thread(taps_close, self._taps)
            return
        began = self._gateway.clock.time()
        drained = await pipeline.drain(0.0)  # from here on it takes no more audio
        await asyncio.to_thread(taps_close, self._taps)
        while not drained:
            drained = await pipeline.drain(0.5)
            limit = (
                settings.DRAIN_TIMEOUT if self._ended or self._gateway.draining else FINISH_WITHIN
            )
            if self._gateway.clock.time() - began > limit:
                log.warning("gave up %.0f s of speech of %s", self.backlog_seconds, self.session_id)
                break
        self._position = pipeline.position
        pipeline.close()
        await self._gateway.segments.flush(self.session_id)

    async def _release(self) -> None:
        if self.claim is None:
            return
        for attempt in range(1, RELEASE_ATTEMPTS + 1):
            try:
                await in_database(track_release, claim=self.claim, position=self.position)
            except Exception:
                # In the end the lease runs out, and a sweep completes the transcript.
                log.exception("could not release a track of %s", self.session_id)
                await asyncio.sleep(0.2 * attempt)
            else:
                return

    def _in_background(self, service: Callable[..., None], **arguments: object) -> None:
        async def run() -> None:
            try:
                await in_database(service, **arguments)
            except Exception:
                log.exception("%s failed for %s", service.__name__, self.session_id)

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _pipeline_options(session: Session, speaker: Speaker) -> PipelineOptions:
    named = session.source_language if speaker == "customer" else session.target_language
    return PipelineOptions(
        partials=session.partials,
        vocabulary=tuple(session.vocabulary),
        language=named.split("-")[0] if named else None,
        journal_directory=settings.DATA_DIR / "journal",
    )
