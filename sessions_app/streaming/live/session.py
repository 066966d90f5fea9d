"""One call in this process: its tracks, connections, followers and monitors."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from django.conf import settings

from sessions_app.languages import base_language
from sessions_app.live_events import FinalTranscript, PartialTranscript, SpokenEvent
from sessions_app.media import Speaker
from sessions_app.models import Session
from sessions_app.session_view import SessionState
from sessions_app.streaming import metrics
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.hearing.pipeline import PipelineOptions
from sessions_app.streaming.hearing.timeline import ClockMode
from sessions_app.streaming.hearing.utterances import Voice
from sessions_app.streaming.live.context import ProcessContext
from sessions_app.streaming.live.interpretation import Interpretation
from sessions_app.streaming.live.owner import Owner
from sessions_app.streaming.live.pause import RecordingPause
from sessions_app.streaming.live.segment_queue import SegmentQueue
from sessions_app.streaming.live.track import LiveTrack
from sessions_app.streaming.telling.channel_layer import send_event
from sessions_app.streaming.telling.fanout import Fanout, Follower, Observer
from sessions_app.streaming.telling.monitors import Audience, Monitor, Monitors


class OpenConnection(Protocol):
    """A WebSocket of the call."""

    def tick(self, seconds: float) -> None:
        """``seconds`` have passed."""

    def go_away(self) -> None:
        """This server stops: the client must reconnect to another one."""


class LiveSession:
    """Exists from the first participant in this process until the last has left.

    It belongs to the gateway's event loop.

    Args:
        gone: called when the last participant has left.
    """

    def __init__(
        self,
        session_id: str,
        *,
        context: ProcessContext,
        monitors: Monitors,
        gone: "Callable[[LiveSession], None]",
    ) -> None:
        self.id = session_id
        self.context = context
        self.connections: list[OpenConnection] = []
        self.tracks: list[LiveTrack] = []
        self.segments = SegmentQueue(session_id, self.publish)
        self.pause = RecordingPause(session_id, lambda: self.tracks, self.refresh)
        self.audience = Audience(session_id, monitors, self._set_monitor_taps)
        self.interpretation: Interpretation | None = None
        """Only in the modes that translate."""
        self._fanout = Fanout(session_id, self._observers)
        self._speaking: dict[Speaker, LiveTrack] = {}
        self._zero: float | None = None  # on the clock: the beginning of the session's timeline
        self._gone = gone

    # --- participants -----------------------------------------------------------------------

    def connect(self, connection: OpenConnection) -> None:
        self.connections.append(connection)
        metrics.STREAMS.inc()

    def disconnect(self, connection: OpenConnection) -> None:
        self.connections.remove(connection)
        metrics.STREAMS.dec()
        self._left()

    def follow(self, follower: Follower) -> None:
        """Send events to ``follower`` from now on."""
        self._fanout.followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        if follower in self._fanout.followers:
            self._fanout.followers.remove(follower)
            self._left()

    def listen_in(self, monitor: Monitor) -> None:
        """Send both parties' audio to ``monitor``. The caller checks permission."""
        self.audience.join(monitor)

    def stop_listening_in(self, monitor: Monitor) -> None:
        self.audience.leave(monitor)
        self._left()

    def _left(self) -> None:
        users = (self.connections, self.tracks, self._fanout.followers, self.audience.here)
        if not any(users):
            self.stop()
            self._gone(self)

    # --- tracks -----------------------------------------------------------------------------

    def open_track(
        self, session: Session, speaker: Speaker, *, owner: Owner, clock_mode: ClockMode
    ) -> LiveTrack:
        """Claim the speaker's track, replacing its owner: see ``LiveTrack.opening``."""
        interpretation = self.interpreted(session)
        options = _pipeline_options(session, speaker)
        if interpretation is not None:
            options = replace(
                options,
                wants_english=lambda: interpretation.wants_english(speaker),
                wants_partials=lambda: interpretation.wants_partials(speaker),
            )
        track = LiveTrack(
            self,
            speaker,
            owner=owner,
            clock_mode=clock_mode,
            options=options,
            made_speech=session.records_translations,
        )
        self.tracks.append(track)
        metrics.TRACKS.inc()
        if self.pause.active:
            track.pause_recording(True)
        return track

    def interpreted(self, session: Session) -> Interpretation | None:
        """The session's translation, begun if needed; None: its mode does not translate."""
        if self.interpretation is None and session.translates:
            self.interpretation = Interpretation(
                session,
                context=self.context,
                segments=self.segments,
                audience=self.audience,
                now=lambda: self.now,
                publish=self.publish,
            )
        return self.interpretation

    def speaking(self, speaker: Speaker) -> LiveTrack | None:
        """The track that holds the speaker's claim in this process."""
        return self._speaking.get(speaker)

    def track_claimed(self, track: LiveTrack) -> None:
        """``track`` holds the speaker's claim from now on."""
        assert track.claim is not None
        # Two concurrent claims may arrive here in the wrong order.
        other = self._speaking.get(track.speaker)
        if other is None or other.generation < track.generation:
            self._speaking[track.speaker] = track
        self.pause.track_claimed(track.claim)
        if not self.audience.is_empty:
            track.listen_in(self.audience)
        # A pause, the end or another claim may have come since this claim was stored.
        self.look()

    def track_released(self, track: LiveTrack) -> None:
        """``track`` has released its claim, or never got one."""
        self.tracks.remove(track)
        metrics.TRACKS.dec()
        if self._speaking.get(track.speaker) is track:
            del self._speaking[track.speaker]
        track.listen_in(None)
        self._left()

    @cached_property
    def epoch(self) -> float:
        """See ``TrackHost``. Read once: a step of the wall clock must not move a running call."""
        return self.context.clock.epoch()

    @property
    def position(self) -> float:
        """The end of the session's audio here, in seconds; 0: no track. From any thread."""
        return max((track.latest for track in list(self._speaking.values())), default=0.0)

    @property
    def now(self) -> float | None:
        """The time on the session's timeline; None: no track has begun here. With ``clock=media``
        it is as late as the audio that has come."""
        begun = [each for each in self.tracks if each.zero is not None]
        if any(each.clock_mode == "media" for each in begun):
            return max(each.position for each in begun)
        if begun:
            self._zero = begun[0].zero  # a party may hear speech when the tracks have gone
        return None if self._zero is None else self.context.clock.time() - self._zero

    def audible_to(self, speaker: Speaker) -> list[SpokenAudio]:
        """What a party can hear, so that its line may return it: the other party, and what is
        spoken to it."""
        other = self._speaking.get("agent" if speaker == "customer" else "customer")
        audible = [other.spoken] if other is not None and other.spoken is not None else []
        if self.interpretation is not None:
            audible += self.interpretation.audible_to(speaker)
        return audible

    def voice_watch(self, speaker: Speaker) -> Callable[[Voice], None] | None:
        """What is told of a party's voice with every frame; None: nobody needs to know."""
        interpretation = self.interpretation
        if interpretation is None:
            return None
        return lambda voice: interpretation.voice(speaker, voice)

    def partly_said(self, partial: PartialTranscript) -> None:
        """A track here is hearing an utterance."""
        if self.interpretation is not None:
            self.interpretation.partly_said(partial)

    def said(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        """A track here has a final, which is being stored; ``spoken`` is its recent audio."""
        if self.interpretation is not None:
            self.interpretation.said(final, spoken)

    async def all_said(self, speaker: Speaker) -> None:
        """Wait until the finals of a party, and their translations, are stored."""
        await self.segments.flush()
        if self.interpretation is not None:
            await self.interpretation.finish(speaker)

    async def heard_out(self, speaker: Speaker) -> None:
        """Wait until a party has heard what is finished for it at the end of the session."""
        if self.interpretation is not None:
            await self.interpretation.heard_out(speaker)

    def _set_monitor_taps(self) -> None:
        tap = None if self.audience.is_empty else self.audience
        for track in self.tracks:
            if track.claim is not None:
                track.listen_in(tap)

    # --- what happens -----------------------------------------------------------------------

    @property
    def state(self) -> SessionState | None:
        """The session's columns as last read."""
        return self._fanout.state

    @property
    def unsettled(self) -> bool:
        """Whether every poll reads the session again: see ``Fanout.unsettled``."""
        return self._fanout.unsettled

    def look(self) -> None:
        """Read the session's rows again soon, and tell all observers here."""
        self._fanout.look()

    async def refresh(self) -> None:
        """Read the session's rows again, and return when all observers here have been told."""
        await self._fanout.refresh()

    def publish(self, event: SpokenEvent) -> None:
        """Send to the followers on every server, best effort. Not for finals: followers get those
        from the database."""
        self.deliver(event)
        send_event(self.id, event)

    def deliver(self, event: SpokenEvent) -> None:
        """Send to the followers in this process."""
        self._fanout.deliver(event)

    def _observers(self) -> list[Observer]:
        claimed = [track for track in self.tracks if track.claim is not None]
        return [self.pause, *claimed]

    def stop(self) -> None:
        """The process ends, or nobody is left: stop reading the session."""
        self._fanout.stop()
        if self.interpretation is not None:
            self.interpretation.close()


def _pipeline_options(session: Session, speaker: Speaker) -> PipelineOptions:
    named = session.source_language if speaker == "customer" else session.target_language
    languages = tuple(dict.fromkeys(map(base_language, session.languages)))
    if named is None and len(languages) == 1:
        named = languages[0]
    return PipelineOptions(
        partials=session.partials,
        vocabulary=tuple(session.vocabulary),
        language=base_language(named) if named else None,
        languages=languages,
        journal_directory=settings.DATA_DIR / "journal",
    )
