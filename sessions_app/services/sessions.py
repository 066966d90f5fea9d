"""A session's own life: created, started by its first audio, paused, ended, erased."""

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from sessions_app import signals
from sessions_app.capabilities import mode_require
from sessions_app.errors import ConcurrentSessionsExceeded, SessionNotEnded
from sessions_app.models import Session
from sessions_app.notifications import notify
from sessions_app.payloads import (
    SESSION_CREATED,
    SESSION_ENDED,
    SESSION_STARTED,
    session_event,
)
from sessions_app.services.transcripts import transcript_complete
from webhooks_app.services import session_events_erase

log = logging.getLogger(__name__)


@transaction.atomic
def session_create(
    *,
    tenant: Tenant,
    mode: str,
    source_language: str | None = None,
    target_language: str | None = None,
    recording_enabled: bool = False,
    recording_channels: str = Session.Channels.MIXED,
    provider_type: str = "websocket",
    provider_phone_number: str | None = None,
    provider_call_sid: str | None = None,
    partials: bool = True,
    vocabulary: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Session:
    """A new session and its ``session.created`` event.

    Raises FeatureNotAvailable, UnsupportedLanguagePair, ConcurrentSessionsExceeded.
    """
    mode_require(mode, source_language, target_language)
    _concurrency_check(tenant)
    session = Session.objects.create(
        organization=tenant.organization,
        environment=tenant.environment,
        mode=mode,
        source_language=source_language,
        target_language=target_language,
        recording_enabled=recording_enabled,
        recording_channels=recording_channels,
        provider_type=provider_type,
        provider_phone_number=provider_phone_number,
        provider_call_sid=provider_call_sid,
        partials=partials,
        vocabulary=list(vocabulary),
        metadata=dict(metadata or {}),
    )
    session_event(SESSION_CREATED, session)
    return session


def _concurrency_check(tenant: Tenant) -> None:
    """Counts under the organization's row lock, so that racing creates cannot both slip in.

    The lock leaves foreign keys alone (FOR NO KEY UPDATE), so that it delays no running call.
    """
    limit = (
        Organization.objects.select_for_update(no_key=True)
        .values_list("concurrent_sessions", flat=True)
        .get(pk=tenant.organization.pk)
    )
    running = Session.objects.filter(
        **tenant.filters, status__in=[Session.Status.CREATED, Session.Status.ACTIVE]
    ).count()
    if running >= limit:
        raise ConcurrentSessionsExceeded(
            f"{running} sessions are created or active, and the plan allows {limit}. "
            "End some, or try again later.",
            headers={"Retry-After": "10"},
        )


@dataclass(frozen=True, slots=True)
class Zero:
    """The session's zero: when its first audio arrived, and what the client's clock said then."""

    started_at: datetime.datetime
    media_zero_ms: int | None


@transaction.atomic
def session_start(
    *, session_id: str, arrived_at: datetime.datetime, media_zero_ms: int | None = None
) -> Zero | None:
    """The session's first audio has arrived. When two servers say so, the first of them sets the
    zero and both are told it. None: the session has ended or was erased.
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
        transaction.on_commit(partial(notify, session_id))
    return Zero(session.started_at, session.media_zero_ms)


@transaction.atomic
def recording_pause_set(*, session_id: str, paused: bool) -> bool:
    """Ask for a pause of the recording on every track, or for its end. Owners of tracks apply it
    and note that they have.

    Returns whether that changed anything.
    """
    changed = (
        Session.objects.exclude(status=Session.Status.ENDED)
        .filter(id=session_id, recording_paused=not paused)
        .update(recording_paused=paused)
    )
    transaction.on_commit(partial(notify, session_id))
    return bool(changed)


@transaction.atomic
def session_end(*, session: Session, reason: str = Session.EndReason.COMPLETED) -> Session:
    """End a session now. Ending twice returns it as it ended. The passed object is left alone.

    Receivers of ``session_ended`` write their rows in this transaction. The owners of its tracks
    are notified, or read it from the database soon after.
    """
    session = (
        Session.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .get(pk=session.pk)
    )
    if session.is_ended:
        return session
    session.status = Session.Status.ENDED
    session.ended_at = timezone.now()
    session.end_reason = reason
    session.duration = max(session.duration, _live_position(session.id))
    session.save(update_fields=["status", "ended_at", "end_reason", "duration"])
    session_event(SESSION_ENDED, session)
    signals.session_ended.send(sender=Session, session=session)
    transaction.on_commit(partial(_after_the_end, session.id))
    return session


def _live_position(session_id: str) -> float:
    """How far this process has heard the session, in seconds; 0: it does not have the call.

    Most often the process that is asked to end a call is the one that has it.
    """
    answers = signals.session_position_wanted.send(sender=Session, session_id=session_id)
    return max((float(position or 0.0) for _, position in answers), default=0.0)


def _after_the_end(session_id: str) -> None:
    try:
        # If nobody is speaking there is nothing to wait for.
        transcript_complete(session_id=session_id)
    except Exception:
        # The end is committed and must not fail for this; the sweep completes the transcript.
        log.exception("could not complete the transcript of %s", session_id)
    notify(session_id)


@transaction.atomic
def session_erase(*, session: Session) -> None:
    """Erase an ended session for good: words, audio, analyses, and its events' payloads.

    Receivers of ``session_erased`` delete their rows here and their files after the commit.
    Raises SessionNotEnded.
    """
    locked = Session.objects.select_for_update().filter(pk=session.pk).first()
    if locked is None:
        return  # another request has erased it
    if not locked.is_ended:
        raise SessionNotEnded("Only an ended session can be erased. End it first.")
    signals.session_erased.send(sender=Session, session=locked)
    session_events_erase(session_id=locked.id)
    locked.delete()
    transaction.on_commit(partial(notify, session.pk))


def session_facets_set(*, session_id: str, **facets: str | bool | None) -> None:
    """Write what another app found of a session (``sentiment``, ``compliance_passed``)."""
    unknown = facets.keys() - {"sentiment", "compliance_passed"}
    if unknown:
        raise TypeError(f"not facets: {', '.join(sorted(unknown))}")
    Session.objects.filter(pk=session_id).update(**facets)
