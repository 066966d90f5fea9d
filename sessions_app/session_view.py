"""A session as its followers see it: state, tracks and new segments, read in one go."""

import dataclasses
import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from sessions_app.live_events import FinalTranscript, TranslationFinal
from sessions_app.models import Segment, Session, Track
from sessions_app.services.claims import Claim

SEGMENTS_PER_LOOK: Final = 200
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class SessionState:
    """The columns whose changes are sent to followers."""

    status: str
    end_reason: str | None
    duration: float
    segment_count: int
    recording_paused: bool
    transcript_status: str
    translation_count: int = 0

    @property
    def ended(self) -> bool:
        return self.status == Session.Status.ENDED

    @property
    def complete(self) -> bool:
        return self.transcript_status == Session.TranscriptStatus.COMPLETE

    def __eq__(self, other: object) -> bool:
        # ``duration`` grows with every heartbeat, so it does not count as a change.
        return isinstance(other, SessionState) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    @property
    def _compared(self) -> tuple[object, ...]:
        return (
            self.status,
            self.segment_count,
            self.recording_paused,
            self.transcript_status,
            self.translation_count,
        )


@dataclass(frozen=True, slots=True)
class TrackState:
    """A track's owner. ``held``: the owner's lease has not expired."""

    id: str
    speaker: str
    generation: int
    held: bool
    pause_applied: bool
    position: float
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as it stands: state, tracks, and the requested segments and translations with their
    sequences."""

    state: SessionState
    tracks: tuple[TrackState, ...]
    segments: tuple[tuple[int, FinalTranscript], ...]
    translations: tuple[tuple[int, TranslationFinal], ...] = ()

    @property
    def pause_settled(self) -> bool:
        """Whether every live track has applied the session's pause (or its end)."""
        paused = self.state.recording_paused
        return all(track.pause_applied == paused for track in self.tracks if track.held)

    def track_of(self, claim: Claim) -> TrackState | None:
        """The track as claimed; None: another owner has claimed it since, or it is gone."""
        for track in self.tracks:
            if track.id == claim.track_id and track.generation == claim.generation:
                return track
        return None

    def is_told(self, seen: int | None, seen_translation: int | None = None) -> bool:
        """Whether the transcript is complete and known up to ``seen``, its last segment, and
        ``seen_translation``, the last translation. One read brings ``SEGMENTS_PER_LOOK`` segments
        and as many translations at most."""
        return (
            self.state.complete
            and (seen or 0) >= self.state.segment_count
            and (seen_translation or 0) >= self.state.translation_count
        )


_STATE: Final = tuple(field.name for field in dataclasses.fields(SessionState))


def session_states(session_ids: Sequence[str]) -> dict[str, SessionState]:
    """The state of each session that still exists."""
    states: dict[str, SessionState] = {}
    for start in range(0, len(session_ids), _CHUNK):
        chunk = session_ids[start : start + _CHUNK]
        for session_id, *state in Session.objects.filter(id__in=chunk).values_list("id", *_STATE):
            states[session_id] = SessionState(*state)
    return states


def session_view(
    session_id: str, after: int | None, after_translation: int | None = None
) -> SessionView | None:
    """The session with its tracks, the segments after ``after`` and the translations after
    ``after_translation`` (None: none of them)."""
    # The session is read first: what is counted there is certain to be found below, unless a
    # segment has been translated again meanwhile and has a later number.
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
    translations: tuple[tuple[int, TranslationFinal], ...] = ()
    if after_translation is not None and state.translation_count > after_translation:
        known = segments[-1][0] if len(segments) == SEGMENTS_PER_LOOK else None
        translations = _translations(session_id, after_translation, state.translation_count, known)
    return SessionView(state, tracks, segments, translations)


def _translations(
    session_id: str, after: int, until: int, known: int | None
) -> tuple[tuple[int, TranslationFinal], ...]:
    """In the order in which they were stored, and none before its segment: ``known`` is the last
    segment read (None: all of them)."""
    found = Segment.objects.filter(
        session_id=session_id, translated_sequence__gt=after, translated_sequence__lte=until
    ).order_by("translated_sequence")[:SEGMENTS_PER_LOOK]
    followed = itertools.takewhile(lambda each: known is None or each.sequence <= known, found)
    return tuple(
        (segment.translated_sequence, translation_final(segment))
        for segment in followed
        if segment.translated_sequence is not None
    )


def _track_state(track: Track, now: datetime.datetime) -> TrackState:
    held = bool(track.owner) and track.lease_expires_at is not None
    return TrackState(
        id=track.id,
        speaker=track.speaker,
        generation=track.generation,
        held=held and track.lease_expires_at > now,  # type: ignore[operator]  # not None: held
        pause_applied=track.pause_applied,
        position=track.position,
        language=track.language,
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
        sequence=segment.sequence,
    )


def translation_final(segment: Segment) -> TranslationFinal:
    """The stored translation of ``segment``."""
    return TranslationFinal(
        segment_id=segment.id,
        speaker=segment.speaker,  # type: ignore[arg-type]  # the column holds nothing else
        language=segment.translation_language or "",
        text=segment.translation or "",
        sequence=segment.translated_sequence,
    )
