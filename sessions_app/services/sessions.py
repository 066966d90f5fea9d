"""Writes of a session's own row: create, start with the first audio, pause, end, erase."""

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
from sessions_app.capabilities import detection_require, mode_require, voices_require
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
    languages: Sequence[str] = (),
    barge_in: bool = True,
    original_volume: float = 0.0,
    agent_voice: str | None = None,
    customer_voice: str | None = None,
    glossary: Mapping[str, str] | None = None,
    subtitles: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Session:
    """A new session and its ``session.created`` event.

    Raises FeatureNotAvailable, UnsupportedLanguagePair, InvalidFieldValue,
    ConcurrentSessionsExceeded.
    """
    mode_require(mode, source_language, target_language)
    detection_require(languages)
    voices_require(agent=agent_voice, customer=customer_voice)
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
        languages=list(languages),
        barge_in=barge_in,
        original_volume=original_volume,
        agent_voice=agent_voice,
        customer_voice=customer_voice,
        glossary=dict(glossary or {}),
        subtitles=subtitles,
        metadata=dict(metadata or {}),
    )
    session_event(SESSION_CREATED, session)
    return session


def _concurrency_check(tenant: Tenant) -> None:
    """Counts under the organization's row lock, so that concurrent creates cannot exceed the limit.

    The lock (FOR NO KEY UPDATE) does not block rows that refer to it, so no running call waits.
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
    """The start of the timeline: when the first audio arrived, and the client's clock then."""

    started_at: datetime.datetime
    media_zero_ms: int | None


@transaction.atomic
def session_start(
    *, session_id: str, arrived_at: datetime.datetime, media_zero_ms: int | None = None
) -> Zero | None:
    """Start the session with its first audio. When two servers do so, the first one sets the zero
    and both get it. None: the session has ended or was erased.
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
    """Request that all tracks pause the recording, or resume it. Each track's owner applies this
    and stores that it has.

    Returns whether the row changed.
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
    """End a session now and return it. A second call changes nothing. ``session`` is not modified.

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
    """The end of the session's audio in this process, in seconds; 0: the call is not here.

    The process that gets the request is often the one that has the call.
    """
    answers = signals.session_position_wanted.send(sender=Session, session_id=session_id)
    return max((float(position or 0.0) for _, position in answers), default=0.0)


def _after_the_end(session_id: str) -> None:
    try:
        # Completes at once if no track is claimed.
        transcript_complete(session_id=session_id)
    except Exception:
        # The end is already committed, so do not fail: a sweep completes the transcript.
        log.exception("could not complete the transcript of %s", session_id)
    notify(session_id)


@transaction.atomic
def session_erase(*, session: Session) -> None:
    """Erase an ended session permanently: transcript, audio, analyses, and its events' payloads.

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
    """Store another app's results about a session (``sentiment``, ``compliance_passed``)."""
    unknown = facets.keys() - {"sentiment", "compliance_passed"}
    if unknown:
        raise TypeError(f"not facets: {', '.join(sorted(unknown))}")
    Session.objects.filter(pk=session_id).update(**facets)
