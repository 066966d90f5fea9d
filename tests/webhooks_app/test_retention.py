"""Old events are deleted in batches; events with pending deliveries are kept."""

import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from webhooks_app import services
from webhooks_app.models import Attempt, Delivery, Endpoint, Event, EventCounter
from webhooks_app.retention import events_purge
from webhooks_app.tidying import strays_cancel


def record(cast, count, age_days, status="delivered"):
    at = timezone.now() - datetime.timedelta(days=age_days)
    made = []
    for number in range(count):
        with transaction.atomic():
            event = services.event_record(
                tenant=cast.tenant,
                type="session.ended",
                data={},
                session_id=f"sess_{age_days}_{number}",
            )
        Event.objects.filter(id=event.id).update(created_at=at)
        delivery = event.deliveries.get()
        Delivery.objects.filter(id=delivery.id).update(status=status)
        Attempt.objects.create(
            delivery=delivery,
            endpoint=delivery.endpoint,
            number=1,
            at=at,
            duration_ms=1,
            succeeded=True,
        )
        made.append(event.id)
    return made


def left():
    return set(Event.objects.values_list("id", flat=True))


def test_events_past_the_retention_are_deleted_with_their_rows(cast, endpoint):
    record(cast, 7, age_days=31)
    kept = record(cast, 2, age_days=29)
    assert events_purge(batch=3) == 7
    assert left() == set(kept)
    assert Delivery.objects.count() == Attempt.objects.count() == 2
    assert EventCounter.objects.count() == 2


def test_a_purge_with_nothing_to_delete_reads_no_counters(cast, endpoint):
    record(cast, 2, age_days=29)
    with CaptureQueriesContext(connection) as captured:
        events_purge()
    assert not [query for query in captured.captured_queries if "eventcounter" in query["sql"]]


def test_the_counter_of_a_session_is_kept_while_it_has_a_later_event(cast, endpoint):
    record(cast, 1, age_days=31)
    with transaction.atomic():
        services.event_record(
            tenant=cast.tenant, type="session.ended", data={}, session_id="sess_31_0"
        )
    assert events_purge() == 1
    assert EventCounter.objects.get().latest == 2


def test_an_old_event_whose_delivery_is_pending_is_kept(cast, endpoint):
    kept = record(cast, 1, age_days=31, status="pending")
    assert events_purge() == 0
    assert left() == set(kept)


def test_each_batch_is_a_few_statements(cast, endpoint, django_assert_max_num_queries):
    record(cast, 10, age_days=31)
    with django_assert_max_num_queries(16):
        events_purge()


@pytest.mark.parametrize(("age", "remains"), [(29, True), (31, False)])
def test_a_deleted_endpoint_is_purged_after_its_history(cast, endpoint, age, remains):
    at = timezone.now() - datetime.timedelta(days=age)
    services.endpoint_delete(endpoint=endpoint)
    Endpoint.objects.update(created_at=at, deleted_at=at)
    events_purge()
    assert Endpoint.objects.exists() is remains


def test_an_old_endpoint_in_use_is_kept(cast, endpoint):
    Endpoint.objects.update(created_at=timezone.now() - datetime.timedelta(days=400))
    events_purge()
    assert Endpoint.objects.exists()


def test_deliveries_recorded_while_an_endpoint_is_disabled_are_cancelled(cast, endpoint):
    record(cast, 2, age_days=0, status="pending")
    Endpoint.objects.update(status="disabled")
    assert strays_cancel() == 2
    assert set(Delivery.objects.values_list("status", flat=True)) == {"cancelled"}
    assert strays_cancel() == 0
