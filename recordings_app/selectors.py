"""Every scoped read of recordings. Tenancy is filtered here and only here."""

import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.lookup import get_or_not_found
from recordings_app.models import Recording, RecordingFile, RecordingPolicy
from sessions_app.models import Session


def recordings_of(tenant: Tenant) -> QuerySet[Recording]:
    return Recording.objects.filter(**tenant.filters)


def recording_get(*, tenant: Tenant, recording_id: str) -> Recording:
    """Raises NotFound, for unknown, foreign and malformed ids alike."""
    return get_or_not_found(recordings_of(tenant), recording_id, prefix="rec", kind="recording")


def session_recordings(session: Session, *, channel: str | None = None) -> QuerySet[Recording]:
    """The recordings of a session that the caller may see, unordered."""
    recordings = Recording.objects.filter(session=session)
    return recordings if channel is None else recordings.filter(channel=channel)


def retention(organization: Organization) -> datetime.timedelta:
    days = (
        RecordingPolicy.objects.filter(organization=organization)
        .values_list("retention_days", flat=True)
        .first()
    )
    return datetime.timedelta(days=days or RecordingPolicy().retention_days)


def recording_original(recording: Recording) -> RecordingFile | None:
    """The file that assembly made, or None."""
    return recording.files.filter(
        format=recording.format,
        sample_rate=recording.sample_rate,
        status=RecordingFile.Status.READY,
    ).first()


def recording_file_signed(file_id: str) -> RecordingFile | None:
    """The file of a verified signed URL. The signature gives access, not a tenant."""
    return (
        RecordingFile.objects.select_related("recording")
        .filter(pk=file_id, status=RecordingFile.Status.READY)
        .first()
    )


# --- For sweeps, over all tenants ----------------------------------------------------------------


def recordings_expired(limit: int, *, after: Recording | None = None) -> list[Recording]:
    """Recordings past their retention that have audio, the longest overdue first.

    The next page begins ``after`` the last recording of the page before.
    """
    expired = Recording.objects.exclude(status=Recording.Status.DELETED).filter(
        expires_at__lte=timezone.now()
    )
    if after is not None:
        later = Q(expires_at__gt=after.expires_at)
        expired = expired.filter(later | Q(expires_at=after.expires_at, id__gt=after.id))
    return list(expired.order_by("expires_at", "id")[:limit])
