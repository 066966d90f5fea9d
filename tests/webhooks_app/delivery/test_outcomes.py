"""What an answer changes: the delivery, its schedule, the endpoint's health."""

import datetime
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.utils import timezone

from tests.locks import TIMEOUT, row_locks_require, waiting
from tests.webhooks_app.conftest import deliveries
from webhooks_app import services
from webhooks_app.delivery.claims import Limits, claim
from webhooks_app.delivery.messages import Answer
from webhooks_app.delivery.outcomes import outcomes_record
from webhooks_app.models import Attempt, Delivery, Endpoint

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


def answer(status=200, **values) -> Answer:
    values = {"succeeded": 200 <= (status or 0) < 300, "response_body": "body"} | values
    return Answer(at=timezone.now(), duration_ms=12, status_code=status, **values)


@pytest.fixture
def attempt(cast, endpoint):
    """Record an event, claim it, and answer."""

    def make(status=200, **values) -> Delivery:
        with transaction.atomic():
            event = services.event_record(tenant=cast.tenant, type="session.ended", data={})
        messages = claim("dsp_a", Limits(100, {}))
        mine = [message for message in messages if message.event_id == event.id]
        outcomes_record("dsp_a", [(message, answer(status, **values)) for message in mine])
        return Delivery.objects.get(event=event)

    return make


def again(delivery, status):
    """Make the delivery due, claim and answer it."""
    Delivery.objects.filter(id=delivery.id).update(next_attempt_at=timezone.now())
    Endpoint.objects.update(paused_until=None)
    (message,) = claim("dsp_a", Limits(100, {}))
    outcomes_record("dsp_a", [(message, answer(status))])
    delivery.refresh_from_db()


def test_a_success_is_final_and_its_attempt_is_stored(attempt):
    delivery = attempt(201, response_headers={"server": "x"})
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("delivered", 1, None)
    stored = Attempt.objects.get()
    assert (stored.number, stored.status_code, stored.duration_ms) == (1, 201, 12)
    assert (stored.succeeded, stored.response_body) == (True, "body")


def test_a_failure_is_tried_again_in_a_minute_or_a_little_more(attempt):
    delivery = attempt(500)
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    assert 60 <= (delivery.next_attempt_at - NOW).total_seconds() <= 66
    assert delivery.claim_id == ""


def test_after_the_eighth_failure_it_is_over(attempt):
    delivery = attempt(500)
    for _ in range(7):
        assert delivery.status == "pending"
        again(delivery, 500)
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 8, None)
    assert list(Attempt.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_retry_after_puts_a_delivery_off(attempt):
    delivery = attempt(503, retry_after=900.0)
    assert (delivery.next_attempt_at - NOW).total_seconds() == 900


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_endpoint_is_slowed_down_and_paused(attempt, endpoint, status):
    attempt(status)
    endpoint.refresh_from_db()
    assert endpoint.slowdown == 1
    assert endpoint.paused_until == NOW + datetime.timedelta(seconds=2)


@pytest.mark.parametrize("status", [400, 404, 500, None])
def test_another_failure_does_not_slow_an_endpoint_down(attempt, endpoint, status):
    attempt(status)
    endpoint.refresh_from_db()
    assert (endpoint.slowdown, endpoint.paused_until) == (0, None)


def test_a_slowed_down_endpoint_recovers_with_its_successes(attempt, endpoint):
    Endpoint.objects.update(slowdown=2)
    attempt(200)
    endpoint.refresh_from_db()
    assert endpoint.slowdown == 1


def test_410_disables_the_endpoint_and_cancels_its_deliveries(cast, attempt, endpoint):
    waiting = attempt(500)
    Endpoint.objects.update(paused_until=None)
    gone = attempt(410)
    endpoint.refresh_from_db()
    waiting.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "gone")
    assert (gone.status, waiting.status) == ("failed", "cancelled")


def test_three_days_of_nothing_but_failures_disable_the_endpoint_with_a_notice(
    attempt, endpoint, clock, caplog
):
    attempt(500)
    clock.shift(72 * HOUR - datetime.timedelta(minutes=1))
    attempt(500)
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    clock.shift(datetime.timedelta(minutes=1))
    with caplog.at_level(logging.WARNING):
        attempt(500)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, endpoint.disabled_at) == ("failing", timezone.now())
    assert endpoint.id in caplog.text


def test_one_success_within_three_days_keeps_the_endpoint(attempt, endpoint, clock):
    attempt(500)
    clock.shift(48 * HOUR)
    attempt(200)
    clock.shift(48 * HOUR)
    attempt(500)
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_410_from_a_given_url_fails_only_that_delivery(cast, private):
    url = "http://127.0.0.1:9/once"
    for _ in range(2):
        with transaction.atomic():
            event = services.event_record(tenant=cast.tenant, type="analysis.complete", data={})
            services.delivery_create_for_url(tenant=cast.tenant, event=event, url=url)
    first, _ = claim("dsp_a", Limits(100, {}))
    outcomes_record("dsp_a", [(first, answer(410))])
    assert sorted(row.status for row in deliveries()) == ["failed", "pending"]


def test_the_outcome_of_a_lost_lease_is_not_recorded(cast, endpoint, clock):
    with transaction.atomic():
        services.event_record(tenant=cast.tenant, type="session.ended", data={})
    (stale,) = claim("dsp_stalled", Limits(1, {}))
    clock.shift(HOUR)
    claim("dsp_b", Limits(1, {}))
    outcomes_record("dsp_stalled", [(stale, answer(200))])
    (delivery,) = deliveries()
    assert (delivery.status, delivery.claim_id) == ("pending", "dsp_b")


def test_a_delivery_cancelled_while_it_is_sent_stays_cancelled(cast, endpoint):
    with transaction.atomic():
        services.event_record(tenant=cast.tenant, type="session.ended", data={})
    (message,) = claim("dsp_a", Limits(1, {}))
    services.endpoint_update(endpoint=endpoint, status="disabled")
    outcomes_record("dsp_a", [(message, answer(500))])
    assert [row.status for row in deliveries()] == ["cancelled"]


def test_many_outcomes_cost_few_queries(cast, endpoint, django_assert_max_num_queries):
    with transaction.atomic():
        for _ in range(20):
            services.event_record(tenant=cast.tenant, type="session.ended", data={})
    messages = claim("dsp_a", Limits(20, {}))
    with django_assert_max_num_queries(5):
        outcomes_record("dsp_a", [(message, answer(200)) for message in messages])
    assert Delivery.objects.filter(status="delivered").count() == 20


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_one_order_also_when_an_endpoint_is_disabled(cast, endpoint):
    row_locks_require()
    with transaction.atomic():
        for _ in range(2):
            services.event_record(tenant=cast.tenant, type="session.ended", data={})
    first, second = Delivery.objects.order_by("id")
    Delivery.objects.filter(id=first.id).update(next_attempt_at=timezone.now() + HOUR)
    (message,) = claim("dsp_a", Limits(100, {}))
    assert message.delivery_id == second.id
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():  # as erasing a session does
            Delivery.objects.select_for_update().get(id=first.id)
            recorded = waiting(pool, lambda: outcomes_record("dsp_a", [(message, answer(410))]))
            Delivery.objects.select_for_update(nowait=True).get(id=second.id)
        recorded.result(TIMEOUT)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("cancelled", "failed")
