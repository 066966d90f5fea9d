"""Where a translation is committed: the translated segments with their events."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from sessions_app.models import Segment, Session
from sessions_app.notifications import notify
from sessions_app.payloads import TRANSLATION_SEGMENT, segment_payload, session_events
from sessions_app.services.locks import session_lock


@dataclass(frozen=True, slots=True)
class SegmentTranslation:
    """A segment's text in another language (ISO 639-1, or with a region)."""

    segment_id: str
    language: str
    text: str


@transaction.atomic
def segments_translate(
    *, session_id: str, translations: Sequence[SegmentTranslation]
) -> list[SegmentTranslation]:
    """Store translations in order, with their events. Storing the same again changes nothing; a
    different translation of a segment replaces the earlier one and gets a new number.

    Returns those whose segment is not stored, so that the caller can try again: the segment is not
    committed yet, or it was erased.
    """
    session = session_lock(session_id)
    if session is None:
        return list(translations)
    segments = Segment.objects.filter(session=session).in_bulk(
        [each.segment_id for each in translations]
    )
    changed: dict[str, Segment] = {}
    for each in translations:
        segment = segments.get(each.segment_id)
        if segment is None or _has(segment, each):
            continue
        segment.translation = each.text
        segment.translation_language = each.language
        changed[segment.id] = segment
    if changed:
        _store(session, list(changed.values()))
    return [each for each in translations if each.segment_id not in segments]


def _has(segment: Segment, translation: SegmentTranslation) -> bool:
    stored = (segment.translation_language, segment.translation)
    return stored == (translation.language, translation.text)


def _store(session: Session, segments: Sequence[Segment]) -> None:
    for sequence, segment in enumerate(segments, session.translation_count + 1):
        segment.translated_sequence = sequence
    Segment.objects.bulk_update(
        segments, ["translation", "translation_language", "translated_sequence"]
    )
    session.translation_count += len(segments)
    session.save(update_fields=["translation_count"])
    data = [{**segment_payload(segment), "session_id": session.id} for segment in segments]
    session_events(TRANSLATION_SEGMENT, session, data)
    transaction.on_commit(partial(notify, session.id))


@transaction.atomic
def segment_interrupt(*, session_id: str, segment_id: str) -> bool:
    """Note that the listener stopped the speech made of this segment. Its text stays whole.

    Returns whether the segment is stored: it may not be committed yet.
    """
    segment = Segment.objects.filter(id=segment_id, session_id=session_id)
    if segment.filter(interrupted=False).update(interrupted=True):
        transaction.on_commit(partial(notify, session_id))
        return True
    return segment.exists()
