"""What the hub reads from the database, and what of a call travels between processes."""

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from sessions_app.models import Segment, Session, Track
from sessions_app.streaming.events import (
    FinalTranscript,
    PartialTranscript,
    PipelineEvent,
    SpeechStarted,
    SpeechStopped,
    StreamWarning,
    TranslationFinal,
)
from sessions_app.streaming.protocols.base import AudioOutput

SpokenEvent = PipelineEvent | TranslationFinal | AudioOutput

SEGMENTS_PER_LOOK: Final = 200
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class SessionState:
    """The columns whose change listeners care for."""

    status: str
    end_reason: str | None
    duration: float
    segment_count: int
    recording_paused: bool
    transcript_status: str

    @property
    def ended(self) -> bool:
        return self.status == Session.Status.ENDED

    @property
    def complete(self) -> bool:
        return self.transcript_status == Session.TranscriptStatus.COMPLETE

    def __eq__(self, other: object) -> bool:
        # ``duration`` moves with every heartbeat and is no news by itself.
        return isinstance(other, SessionState) and self._news == other._news

    def __hash__(self) -> int:
        return hash(self._news)

    @property
    def _news(self) -> tuple[object, ...]:
        return (
            self.status,
            self.segment_count,
            self.recording_paused,
            self.transcript_status,
        )


@dataclass(frozen=True, slots=True)
class TrackState:
    """Who speaks for whom. ``held``: its owner was alive within the lease."""

    id: str
    speaker: str
    generation: int
    held: bool
    pause_applied: bool
    position: float


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as it stands: state, tracks, and the segments asked for with their sequence."""

    state: SessionState
    tracks: tuple[TrackState, ...]
    segments: tuple[tuple[int, FinalTranscript], ...]

    @property
    def pause_settled(self) -> bool:
        """Whether every live track has applied the session's pause (or its end)."""
        paused = self.state.recording_paused
        return all(track.pause_applied == paused for track in self.tracks if track.held)

    def is_told(self, seen: int | None) -> bool:
        """Whether the transcript is complete, and who has heard its segments up to ``seen`` has
        heard it all. One look reads so many segments and no more."""
        return self.state.complete and (seen or 0) >= self.state.segment_count


_STATE: Final = tuple(field.name for field in dataclasses.fields(SessionState))


def session_states(session_ids: Sequence[str]) -> dict[str, SessionState]:
    """The state of each session that still exists."""
    states: dict[str, SessionState] = {}
    for start in range(0, len(session_ids), _CHUNK):
        chunk = session_ids[start : start + _CHUNK]
        for session_id, *state in Session.objects.filter(id__in=chunk).values_list("id", *_STATE):
            states[session_id] = SessionState(*state)
    return states


def session_view(session_id: str, after: int | None) -> SessionView | None:
    """The session with its tracks and the segments after ``after`` (None: none of them)."""
    # The session is read first: a segment counted there is certain to be found below.
    row = Session.objects.filter(id=session_id).values_list(*_STATE).first()
    if row is None:
        return None
    state = SessionState(*row)
    now = timezone.now()
    tracks = tuple(
        _track_state(track, now) for track in Track.objects.filter(session_id=session_id)
    )
    segments: tuple[tuple[int, FinalTranscript], ...] = ()
    if after is not None and state.segment_count > after:
        found = Segment.objects.filter(
            session_id=session_id, sequence__gt=after, sequence__lte=after + SEGMENTS_PER_LOOK
        ).order_by("sequence")
        segments = tuple((segment.sequence, final_transcript(segment)) for segment in found)
    return SessionView(state, tracks, segments)


def _track_state(track: Track, now: datetime.datetime) -> TrackState:
    held = bool(track.owner) and track.lease_expires_at is not None
    return TrackState(
        id=track.id,
        speaker=track.speaker,
        generation=track.generation,
        held=held and track.lease_expires_at > now,  # type: ignore[operator]  # not None: held
        pause_applied=track.pause_applied,
        position=track.position,
    )


def final_transcript(segment: Segment) -> FinalTranscript:
    return FinalTranscript(
        id=segment.id,
        speaker=segment.speaker,  # type: ignore[arg-type]  # the column holds nothing else
        language=segment.language,
        text=segment.text,
        start_time=segment.start_time,
        end_time=segment.end_time,
        confidence=segment.confidence,
    )


# --- over the channel layer ---------------------------------------------------------------------

_TRAVELLING: Final = {
    kind.__name__: kind
    for kind in (SpeechStarted, SpeechStopped, PartialTranscript, StreamWarning, TranslationFinal)
}


def event_to_wire(event: SpokenEvent) -> dict[str, Any] | None:
    """``event`` as plain data for the channel layer; None: it does not travel."""
    kind = type(event).__name__
    if kind not in _TRAVELLING:
        return None
    return {"kind": kind, "fields": dataclasses.asdict(event)}


def event_from_wire(data: dict[str, Any]) -> SpokenEvent | None:
    """The opposite; None for what a newer server may send and this one does not know."""
    kind = _TRAVELLING.get(data["kind"])
    try:
        return kind(**data["fields"]) if kind else None
    except TypeError:
        return None
