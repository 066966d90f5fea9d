"""Every write of sessions that is not a running call's own (those are in ``lifecycle``)."""

import functools
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from sessions_app import signals
from sessions_app.capabilities import mode_require
from sessions_app.errors import ConcurrentSessionsExceeded, SessionNotEnded
from sessions_app.events import SESSION_CREATED, SESSION_ENDED, session_event
from sessions_app.models import Session
from sessions_app.streaming.bells import ring
from sessions_app.streaming.heard import heard_until
from webhooks_app.services import session_events_erase


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

    The lock leaves foreign keys alone (FOR NO KEY UPDATE): running calls are not held up.
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


@transaction.atomic
def session_end(*, session: Session, reason: str = Session.EndReason.COMPLETED) -> Session:
    """End a session now. Ending twice returns it as it ended. The passed object is left alone.

    Receivers of ``session_ended`` write their rows in this transaction. Owners of its tracks hear
    of the end by doorbell, or see it in the database.
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
    session.duration = max(session.duration, heard_until(session.id))
    session.save(update_fields=["status", "ended_at", "end_reason", "duration"])
    session_event(SESSION_ENDED, session)
    signals.session_ended.send(sender=Session, session=session)
    transaction.on_commit(functools.partial(ring, session.id))
    return session


@transaction.atomic
def session_erase(*, session: Session) -> None:
    """Erase an ended session for good: words, audio, analyses, and its events' payloads.

    Receivers of ``session_erased`` delete their rows here and their files after the commit.
    Raises SessionNotEnded.
    """
    locked = Session.objects.select_for_update().filter(pk=session.pk).first()
    if locked is None:
        return  # erased meanwhile: what was asked for is so
    if not locked.is_ended:
        raise SessionNotEnded("Only an ended session can be erased. End it first.")
    signals.session_erased.send(sender=Session, session=locked)
    session_events_erase(session_id=locked.id)
    locked.delete()
    transaction.on_commit(functools.partial(ring, session.pk))


def session_facets_set(*, session_id: str, **facets: str | bool | None) -> None:
    """Write what another app found of a session (``sentiment``, ``compliance_passed``)."""
    unknown = facets.keys() - {"sentiment", "compliance_passed"}
    if unknown:
        raise TypeError(f"not facets: {', '.join(sorted(unknown))}")
    Session.objects.filter(pk=session_id).update(**facets)
