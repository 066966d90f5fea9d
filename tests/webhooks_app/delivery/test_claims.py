"""Which deliveries a dispatcher claims: fairness, limits, order, leases, slots."""

import datetime
import json

import pytest
from django.db import transaction
from django.utils import timezone

from tests.webhooks_app.conftest import deliveries
from webhooks_app import services
from webhooks_app.delivery import claims
from webhooks_app.delivery.claims import LEASE, PER_ENDPOINT, Limits, claim
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, DispatcherSlot, Endpoint

MINUTE = datetime.timedelta(minutes=1)


def record(cast, count=1, session_id=None):
    with transaction.atomic():
        for _ in range(count):
            services.event_record(
                tenant=cast.tenant, type="session.ended", data={}, session_id=session_id
            )


def ids(messages):
    return [message.delivery_id for message in messages]


def take(owner="dsp_a", total=1000, **shares):
    return claim(owner, Limits(total, shares))


def second_endpoint(cast):
    return services.endpoint_create(
        tenant=cast.tenant, url=CheckedUrl("http://127.0.0.1:10/hook"), events=["*"]
    )[0]


def test_a_due_delivery_is_claimed_by_one_only(cast, endpoint):
    record(cast)
    assert len(take("dsp_a")) == 1
    assert take("dsp_b") == []


def test_a_delivery_that_is_not_due_yet_is_left_alone(cast, endpoint):
    record(cast)
    Delivery.objects.update(next_attempt_at=timezone.now() + MINUTE)
    assert take() == []


def test_a_claim_whose_lease_has_ended_can_be_claimed_again(cast, endpoint, time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    record(cast)
    take("dsp_dead")
    time_machine.shift(LEASE + datetime.timedelta(seconds=1))
    assert len(take("dsp_b")) == 1


def test_no_endpoint_has_more_in_flight_than_its_share(cast, endpoint):
    record(cast, PER_ENDPOINT + 5)
    assert len(take("dsp_a")) == PER_ENDPOINT
    assert take("dsp_b") == []


def test_a_full_endpoint_does_not_keep_another_waiting(cast, endpoint):
    record(cast, PER_ENDPOINT + 5)
    take()
    other = second_endpoint(cast)
    record(cast)
    assert [message.endpoint_id for message in take()] == [other.id]


def test_room_is_shared_among_endpoints(cast, endpoint):
    other = second_endpoint(cast)
    record(cast, 20)
    by_endpoint = [message.endpoint_id for message in take(total=10)]
    assert by_endpoint.count(endpoint.id) == by_endpoint.count(other.id) == 5


def test_endpoints_take_turns_when_there_is_not_room_for_all(cast, endpoint):
    other = second_endpoint(cast)
    record(cast)
    first = claim("dsp_a", Limits(1, {}, after=""))
    assert ids(first)
    second = claim("dsp_a", Limits(1, {}, after=first[0].endpoint_id))
    assert {first[0].endpoint_id, second[0].endpoint_id} == {endpoint.id, other.id}


def test_a_slowed_down_endpoint_gets_a_smaller_share(cast, endpoint):
    record(cast, PER_ENDPOINT)
    Endpoint.objects.update(slowdown=3)
    assert len(take()) == PER_ENDPOINT // 8


def test_a_paused_endpoint_gets_nothing_until_its_pause_is_over(cast, endpoint):
    record(cast)
    Endpoint.objects.update(paused_until=timezone.now() + MINUTE)
    assert take() == []
    Endpoint.objects.update(paused_until=timezone.now() - MINUTE)
    assert len(take()) == 1


# --- Order ---------------------------------------------------------------------------------------


def finish(message, status="delivered", due=None):
    Delivery.objects.filter(id=message.delivery_id).update(
        status=status, attempts=1, claim_id="", next_attempt_at=due
    )


def test_events_of_a_session_go_out_one_after_the_other(cast, endpoint):
    record(cast, 3, session_id="sess_1")
    order = []
    for _ in range(3):
        (message,) = take()
        order.append(Delivery.objects.get(id=message.delivery_id).sequence)
        assert take() == []
        finish(message)
    assert order == [1, 2, 3]


def test_a_failed_first_attempt_is_an_answer_and_lets_the_next_one_go(cast, endpoint):
    record(cast, 2, session_id="sess_1")
    (first,) = take()
    finish(first, status="pending", due=timezone.now() + MINUTE)
    (second,) = take()
    assert second.delivery_id != first.delivery_id


def test_a_cancelled_event_delays_no_other(cast, endpoint):
    record(cast, 2, session_id="sess_1")
    Delivery.objects.filter(sequence=1).update(status="cancelled", next_attempt_at=None)
    assert len(take()) == 1


def test_the_order_of_one_session_does_not_bind_another(cast, endpoint):
    record(cast, 2, session_id="sess_1")
    record(cast, 2, session_id="sess_2")
    assert len(take()) == 2


def test_the_order_at_one_endpoint_does_not_bind_another(cast, endpoint):
    second_endpoint(cast)
    record(cast, 2, session_id="sess_1")
    assert len(take()) == 2


# --- Dispatchers ---------------------------------------------------------------------------------


def test_no_more_dispatchers_run_than_there_are_slots(db):
    assert claims.slot_acquire("dsp_a", 2)
    assert claims.slot_acquire("dsp_b", 2)
    assert not claims.slot_acquire("dsp_c", 2)
    claims.slot_release("dsp_a")
    assert claims.slot_acquire("dsp_c", 2)


def test_a_dispatcher_that_takes_over_from_a_dead_one_frees_its_rows(cast, endpoint, time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    record(cast)
    claims.slot_acquire("dsp_dead", 1)
    take("dsp_dead")
    assert not claims.slot_acquire("dsp_b", 1)
    time_machine.shift(claims.SLOT_LEASE)
    assert claims.work_exists()
    assert claims.slot_acquire("dsp_b", 1)
    assert len(take("dsp_b")) == 1
    assert not claims.slot_renew("dsp_dead")


def test_a_dispatcher_that_renews_keeps_its_slot(db, time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    claims.slot_acquire("dsp_a", 1)
    for _ in range(3):
        time_machine.shift(claims.SLOT_LEASE / 2)
        assert claims.slot_renew("dsp_a")
    assert not claims.slot_acquire("dsp_b", 1)


def test_the_slot_of_a_killed_dispatcher_is_freed_also_when_fewer_are_allowed_by_now(
    cast, endpoint, time_machine
):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    record(cast)
    claims.slot_acquire("dsp_a", 2)
    claims.slot_acquire("dsp_killed", 2)
    take("dsp_killed")
    time_machine.shift(claims.SLOT_LEASE)
    assert claims.slot_acquire("dsp_b", 1)
    assert len(take("dsp_b")) == 1
    Delivery.objects.update(status="delivered")
    assert not claims.work_exists(), "or a dispatcher would run with nothing to do, for ever"


def test_a_slot_that_an_earlier_version_freed_can_be_taken(db):
    DispatcherSlot.objects.create(number=1, lease_expires_at=None)
    assert claims.slot_acquire("dsp_a", 1)


def test_an_event_that_the_fast_encoder_refuses_is_sent_all_the_same(cast, endpoint):
    data = {"number": 2**70}
    with transaction.atomic():
        services.event_record(tenant=cast.tenant, type="session.ended", data=data)
    record(cast)
    bodies = [json.loads(message.body)["data"] for message in take()]
    assert data in bodies
    assert len(bodies) == 2


def test_looking_for_work_without_any_writes_nothing(cast, endpoint, django_assert_num_queries):
    claims.slot_acquire("dsp_a", 1)
    with django_assert_num_queries(1):
        assert take() == []
    with django_assert_num_queries(1):
        assert not claims.slot_acquire("dsp_b", 1)
    assert DispatcherSlot.objects.get().owner == "dsp_a"


@pytest.mark.parametrize("total", [0, -1])
def test_without_room_nothing_is_claimed(cast, endpoint, total):
    record(cast)
    assert take(total=total) == []
    assert [row.claim_id for row in deliveries()] == [""]
