"""Forgetting events, their deliveries and attempts after KALLGLOT_EVENT_RETENTION_DAYS."""

import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from webhooks_app.models import Attempt, Delivery, Endpoint, Event, EventCounter

BATCH = 500


def events_purge(*, batch: int = BATCH) -> int:
    """Delete old events in small transactions; then what nothing refers to any more.

    An event with a delivery still pending waits for it. Returns how many events are gone.
    """
    before = timezone.now() - datetime.timedelta(days=settings.EVENT_RETENTION_DAYS)
    total = 0
    while deleted := _batch_delete(before, batch):
        total += deleted
    _leftovers_delete(before)
    return total


@transaction.atomic
def _batch_delete(before: datetime.datetime, batch: int) -> int:
    pending = Delivery.objects.filter(event=OuterRef("id"), status=Delivery.Status.PENDING)
    ids = list(
        Event.objects.filter(~Exists(pending), created_at__lt=before)
        .order_by("created_at")
        .values_list("id", flat=True)[:batch]
    )
    # Children first and by hand: Django would otherwise fetch every row to follow its relations.
    Attempt.objects.filter(delivery__event_id__in=ids)._raw_delete("default")
    Delivery.objects.filter(event_id__in=ids)._raw_delete("default")
    Event.objects.filter(id__in=ids)._raw_delete("default")
    return len(ids)


def _leftovers_delete(before: datetime.datetime) -> None:
    used = Delivery.objects.filter(endpoint=OuterRef("id"))
    unlisted = Endpoint.objects.filter(~Exists(used), created_at__lt=before)
    unlisted.filter(kind=Endpoint.Kind.URL).delete()
    unlisted.filter(deleted_at__lt=before).delete()
    silent = ~Exists(Event.objects.filter(session_id=OuterRef("session_id")))
    EventCounter.objects.filter(silent).delete()
