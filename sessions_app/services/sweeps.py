"""Periodic work: ends idle sessions, and completes transcripts whose owners died.

Rows are handled one by one: a failure is logged and the sweep continues.
"""

import datetime
import logging
from collections.abc import Callable, Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app.models import Session
from sessions_app.services.claims import claims_expire, session_claims_expire
from sessions_app.services.locks import session_lock
from sessions_app.services.sessions import session_end
from sessions_app.services.transcripts import transcript_complete

log = logging.getLogger(__name__)

SWEEP_SIZE = 500
"""Rows per sweep."""


def sessions_end_idle() -> int:
    """End sessions without audio for too long, including those without any connection.

    Returns how many.
    """
    deadline = timezone.now() - datetime.timedelta(seconds=settings.SESSION_IDLE_TIMEOUT)
    silent = Q(last_audio_at__lt=deadline) | Q(last_audio_at=None, created_at__lt=deadline)
    idle = Session.objects.exclude(status=Session.Status.ENDED).filter(silent)

    @transaction.atomic
    def end(session_id: str) -> bool:
        # Check again under the lock: audio may have come meanwhile.
        session = session_lock(session_id)
        if session is None or not idle.filter(id=session_id).exists():
            return False
        session_end(session=session, reason=Session.EndReason.TIMEOUT)
        return True

    return _each(idle.values_list("id", flat=True)[:SWEEP_SIZE], end)


def claims_end_expired() -> int:
    """End the claims of owners that died. Returns the number of sessions."""
    return _each(
        claims_expire(SWEEP_SIZE), lambda session_id: session_claims_expire(session_id=session_id)
    )


def transcripts_complete_abandoned() -> int:
    """Complete transcripts of ended sessions without claimed tracks. Returns how many."""
    draining = Session.objects.filter(
        status=Session.Status.ENDED, transcript_status=Session.TranscriptStatus.IN_PROGRESS
    )
    waiting = draining.order_by("ended_at").values_list("id", flat=True)[:SWEEP_SIZE]
    return _each(waiting, lambda session_id: transcript_complete(session_id=session_id))


def _each(session_ids: Iterable[str], work: Callable[[str], bool]) -> int:
    done = 0
    for session_id in list(session_ids):
        try:
            done += work(session_id)
        except Exception:
            log.exception("a sweep failed for session %s", session_id)
    return done
