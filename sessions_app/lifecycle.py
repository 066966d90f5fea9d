"""Every write of a running session: its start, its segments, its end's aftermath, its sweeps.

Who speaks for whom (claims, leases) is in ``streaming.tracks``. A session's row is locked by
each of these, so that what they write has one order; events are numbered in that order too.
"""

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from sessions_app import signals
from sessions_app.events import (
    SESSION_STARTED,
    TRANSCRIPT_READY,
    TRANSCRIPT_SEGMENT,
    segment_payload,
    session_event,
    transcript_payload,
)
from sessions_app.models import Segment, Session, Track
from sessions_app.selectors import transcript_languages
from sessions_app.services import session_end
from sessions_app.streaming.bells import ring
from sessions_app.streaming.events import FinalTranscript

log = logging.getLogger(__name__)

SWEEP_SIZE: Final = 500


def session_lock(session_id: str) -> Session | None:
    """The session with its row locked until the transaction ends; None: it was erased."""
    return (
        Session.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .filter(id=session_id)
        .first()
    )


# --- the start -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zero:
    """The session's zero: when its first audio arrived, and what the client's clock said then."""

    started_at: datetime.datetime
    media_zero_ms: int | None


@transaction.atomic
def session_start(
    *, session_id: str, arrived_at: datetime.datetime, media_zero_ms: int | None = None
) -> Zero | None:
    """The session's first audio has arrived. Of two servers that say so, the first sets the zero
    and both are told it. None: the session has ended, or is no more.
    """
    started = Session.objects.filter(id=session_id, status=Session.Status.CREATED).update(
        status=Session.Status.ACTIVE,
        started_at=arrived_at,
        last_audio_at=arrived_at,
        media_zero_ms=media_zero_ms,
    )
    session = Session.objects.select_related("organization").filter(id=session_id).first()
    if session is None or session.is_ended or session.started_at is None:
        return None
    if started:
        session_event(SESSION_STARTED, session)
        signals.session_started.send(sender=Session, session=session)
        transaction.on_commit(lambda: ring(session_id))
    return Zero(session.started_at, session.media_zero_ms)


# --- segments ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A final transcript and the claim under which its audio was received."""

    track_id: str
    generation: int
    final: FinalTranscript


@transaction.atomic
def segments_append(*, session_id: str, spoken: Sequence[SpokenSegment]) -> list[Segment]:
    """Store finals in order, with their events. Storing the same again changes nothing.

    Segments of a claim that has been replaced are taken only within its handover: a server that
    was presumed dead cannot write into a transcript that went on without it.
    """
    session = session_lock(session_id)
    if session is None:
        return []
    if session.transcript_status == Session.TranscriptStatus.COMPLETE:
        log.warning("%d segments of %s came after its transcript", len(spoken), session_id)
        return []
    accepted = _accepted(session, spoken)
    segments = [
        _segment(session, sequence, each.final)
        for sequence, each in enumerate(accepted, session.segment_count + 1)
    ]
    if not segments:
        return []
    Segment.objects.bulk_create(segments)
    session.segment_count += len(segments)
    session.word_count += sum(len(segment.text.split()) for segment in segments)
    session.duration = max(session.duration, *(segment.end_time for segment in segments))
    session.save(update_fields=["segment_count", "word_count", "duration"])
    spoken_in = {each.track_id: each.final.language for each in accepted}
    for track_id, language in sorted(spoken_in.items()):
        Track.objects.filter(id=track_id).update(language=language)
    for segment in segments:
        data = {**segment_payload(segment), "session_id": session_id}
        session_event(TRANSCRIPT_SEGMENT, session, data)
    transaction.on_commit(lambda: ring(session_id))
    return segments


def _accepted(session: Session, spoken: Sequence[SpokenSegment]) -> list[SpokenSegment]:
    """Those that may be written and are not yet: a commit may have succeeded unheard."""
    now = timezone.now()
    known = set(
        Segment.objects.filter(
            session=session, id__in=[each.final.id for each in spoken]
        ).values_list("id", flat=True)
    )
    tracks = {track.id: track for track in Track.objects.filter(session=session)}

    def may_write(each: SpokenSegment) -> bool:
        track = tracks.get(each.track_id)
        if track is None:
            return False
        if track.generation == each.generation:
            return True
        return track.handover_until is not None and track.handover_until > now

    accepted = [each for each in spoken if each.final.id not in known and may_write(each)]
    refused = len(spoken) - len(known) - len(accepted)
    if refused > 0:
        log.warning("%d segments of %s came from a replaced owner", refused, session.id)
    return accepted


def _segment(session: Session, sequence: int, final: FinalTranscript) -> Segment:
    return Segment(
        id=final.id,
        session=session,
        sequence=sequence,
        speaker=final.speaker,
        language=final.language,
        text=final.text,
        start_time=final.start_time,
        end_time=final.end_time,
        confidence=final.confidence,
    )


# --- a pause -------------------------------------------------------------------------------------


@transaction.atomic
def recording_pause_set(*, session_id: str, paused: bool) -> bool:
    """Wish for a pause of the recording, or its end, on every track. Owners apply it and say so.

    Returns whether that changed anything.
    """
    changed = (
        Session.objects.exclude(status=Session.Status.ENDED)
        .filter(id=session_id, recording_paused=not paused)
        .update(recording_paused=paused)
    )
    transaction.on_commit(lambda: ring(session_id))
    return bool(changed)


# --- after the end -------------------------------------------------------------------------------


@transaction.atomic
def transcript_complete(*, session_id: str) -> bool:
    """Close the transcript of an ended session once nobody may still write it.

    Called by whoever lets go of a track, and by a sweep in case the last one never does.
    Returns whether this call closed it.
    """
    session = session_lock(session_id)
    if session is None or not session.is_ended:
        return False
    if session.transcript_status == Session.TranscriptStatus.COMPLETE:
        return False
    if tracks_at_work(session_id).exists():
        return False
    session.transcript_status = Session.TranscriptStatus.COMPLETE
    session.save(update_fields=["transcript_status"])
    payload = transcript_payload(session, None, languages=transcript_languages(session))
    session_event(TRANSCRIPT_READY, session, payload)
    signals.transcript_completed.send(sender=Session, session=session)
    transaction.on_commit(lambda: ring(session_id))
    return True


def tracks_at_work(session_id: str) -> QuerySet[Track]:
    """Tracks whose owner, or replaced owner, may still write."""
    now = timezone.now()
    owned = ~Q(owner="") & Q(lease_expires_at__gt=now)
    return Track.objects.filter(Q(session_id=session_id) & (owned | Q(handover_until__gt=now)))


@receiver(signals.session_ended, dispatch_uid="sessions_app.lifecycle.aftermath")
def _after_the_end(session: Session, **kwargs: Any) -> None:
    session_id = session.id

    def aftermath() -> None:
        try:
            # Nobody was speaking: there is nothing to wait for.
            transcript_complete(session_id=session_id)
        except Exception:
            # The sweep does it. An ending that was committed must not fail for this.
            log.exception("could not complete the transcript of %s", session_id)
        ring(session_id)

    transaction.on_commit(aftermath)


# --- sweeps --------------------------------------------------------------------------------------


def sessions_end_idle() -> int:
    """End sessions without audio for too long, those nobody ever connected to included."""
    deadline = timezone.now() - datetime.timedelta(seconds=settings.SESSION_IDLE_TIMEOUT)
    silent = Q(last_audio_at__lt=deadline) | Q(last_audio_at=None, created_at__lt=deadline)
    idle = Session.objects.exclude(status=Session.Status.ENDED).filter(silent)
    ended = 0
    for session_id in list(idle.values_list("id", flat=True)[:SWEEP_SIZE]):
        with transaction.atomic():
            # Locked and asked again: audio may have come meanwhile.
            session = session_lock(session_id)
            if session is not None and idle.filter(id=session_id).exists():
                session_end(session=session, reason=Session.EndReason.TIMEOUT)
                ended += 1
    return ended


def transcripts_complete_abandoned() -> int:
    """Close transcripts whose last owner died before it could."""
    draining = Session.objects.filter(
        status=Session.Status.ENDED, transcript_status=Session.TranscriptStatus.IN_PROGRESS
    )
    candidates = list(draining.order_by("ended_at").values_list("id", flat=True)[:SWEEP_SIZE])
    return sum(transcript_complete(session_id=session_id) for session_id in candidates)
