"""When a transcript is complete: once its session has ended and no owner may still write to it."""

from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from sessions_app import signals
from sessions_app.models import Session, Track
from sessions_app.notifications import notify
from sessions_app.payloads import TRANSCRIPT_READY, session_event, transcript_payload
from sessions_app.selectors import transcript_languages
from sessions_app.services.locks import session_lock

HELD: Final = ~Q(owner="") & Q(lease_expires_at__isnull=False)
"""Tracks that are claimed and not released."""


@transaction.atomic
def transcript_complete(*, session_id: str) -> bool:
    """Close the transcript of an ended session, unless an owner may still write to it.

    Called by each owner that releases its track, and by a sweep in case the last owner died.
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
    transaction.on_commit(partial(notify, session_id))
    return True


def tracks_at_work(session_id: str) -> QuerySet[Track]:
    """Tracks whose owner, or a replaced owner, may still write. That includes dead owners until a
    sweep has ended their claims (``claims.claims_expire``)."""
    return Track.objects.filter(HELD | Q(replaced_owners__isnull=False), session_id=session_id)
