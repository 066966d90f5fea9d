"""Deletes events, their deliveries and attempts after KALLGLOT_EVENT_RETENTION_DAYS."""

import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from webhooks_app.models import Attempt, Delivery, Endpoint, Event, EventCounter

BATCH = 500


def events_purge(*, batch: int = BATCH) -> int:
    """Delete old events in small transactions, then endpoints that nothing refers to any more.

    An event with a pending delivery is kept until that has ended. Returns how many were deleted.
    """
    before = timezone.now() - datetime.timedelta(days=settings.EVENT_RETENTION_DAYS)
    total = 0
    while deleted := _batch_delete(before, batch):
        total += deleted
    _unused_endpoints_delete(before)
    return total


def _batch_delete(before: datetime.datetime, batch: int) -> int:
    pending = Delivery.objects.filter(event=OuterRef("id"), status=Delivery.Status.PENDING)
    rows = list(
        Event.objects.filter(~Exists(pending), created_at__lt=before)
        .order_by("created_at")
        .values_list("id", "session_id")[:batch]
    )
    if rows:
        ids = [id for id, _ in rows]
        _delete(ids, {session_id for _, session_id in rows if session_id})
    return len(rows)


@transaction.atomic
def _delete(ids: list[str], session_ids: set[str]) -> None:
    """Delete these events with their rows, and the counters of sessions without any events."""
    # Locked first: an event that is being recorded holds its counter until the commit.
    counters = EventCounter.objects.filter(session_id__in=session_ids).order_by("session_id")
    locked = list(counters.select_for_update().values_list("session_id", flat=True))
    # Children first and by hand: Django would otherwise fetch every row to follow its relations.
    Attempt.objects.filter(delivery__event_id__in=ids)._raw_delete("default")
    Delivery.objects.filter(event_id__in=ids)._raw_delete("default")
    Event.objects.filter(id__in=ids)._raw_delete("default")
    left = Event.objects.filter(session_id__in=locked).values_list("session_id", flat=True)
    unused = set(locked).difference(left.distinct())
    EventCounter.objects.filter(session_id__in=unused)._raw_delete("default")


def _unused_endpoints_delete(before: datetime.datetime) -> None:
    used = Delivery.objects.filter(endpoint=OuterRef("id"))
    unlisted = Endpoint.objects.filter(~Exists(used), created_at__lt=before)
    unlisted.filter(kind=Endpoint.Kind.URL).delete()
    unlisted.filter(deleted_at__lt=before).delete()
