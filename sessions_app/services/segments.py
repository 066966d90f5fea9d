"""Where a final is committed: segments with their events."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.db import transaction

from sessions_app.live_events import FinalTranscript
from sessions_app.models import ReplacedOwner, Segment, Session, Track
from sessions_app.notifications import notify
from sessions_app.payloads import TRANSCRIPT_SEGMENT, segment_payload, session_events
from sessions_app.services.locks import session_lock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A final transcript and the claim under which its audio was received."""

    track_id: str
    generation: int
    final: FinalTranscript


@transaction.atomic
def segments_append(*, session_id: str, spoken: Sequence[SpokenSegment]) -> list[Segment]:
    """Store finals in order, with their events. Storing the same again changes nothing.

    Segments of a claim that has been replaced are accepted while its row in ``ReplacedOwner``
    lasts: a server that was presumed dead cannot write into a transcript that went on without it.
    """
    spoken = [replace(each, final=_storable(each.final)) for each in spoken]
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
    data = [{**segment_payload(segment), "session_id": session_id} for segment in segments]
    session_events(TRANSCRIPT_SEGMENT, session, data)
    transaction.on_commit(partial(notify, session_id))
    return segments


def _accepted(session: Session, spoken: Sequence[SpokenSegment]) -> list[SpokenSegment]:
    """Those that may be written and are not stored yet: the answer to an earlier commit may have
    been lost."""
    known = set(
        Segment.objects.filter(
            session=session, id__in=[each.final.id for each in spoken]
        ).values_list("id", flat=True)
    )
    may_write = set(Track.objects.filter(session=session).values_list("id", "generation"))
    if any((each.track_id, each.generation) not in may_write for each in spoken):
        replaced = ReplacedOwner.objects.filter(track__session=session)
        may_write.update(replaced.values_list("track_id", "generation"))
    accepted = [
        each
        for each in spoken
        if each.final.id not in known and (each.track_id, each.generation) in may_write
    ]
    refused = len(spoken) - len(known) - len(accepted)
    if refused > 0:
        log.warning("%d segments of %s came from a replaced owner", refused, session.id)
    return accepted


def _storable(final: FinalTranscript) -> FinalTranscript:
    """``final`` without what no database stores: NUL characters, half a surrogate pair, and a
    language longer than its column. That loses no words."""
    return replace(
        final,
        text=_clean(final.text),
        language=_clean(final.language)[: Segment._meta.get_field("language").max_length],
    )


def _clean(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()


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
