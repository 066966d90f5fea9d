"""From committed events to a receiver on a real socket."""

import socket
import threading
import time

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone
from standardwebhooks import Webhook

from kallglot_site import doorbell
from kallglot_site.celery import app as celery_app
from tests.fakes.metrics import counted
from tests.fakes.receivers import receiving, reply
from tests.fakes.sockets import TIMEOUT
from tests.webhooks_app.conftest import deliveries
from webhooks_app import services
from webhooks_app.delivery import claims, dispatcher
from webhooks_app.delivery.dispatcher import Load, dispatch_while_due
from webhooks_app.delivery.messages import Message
from webhooks_app.delivery.outcomes import outcomes_record
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Attempt, Delivery, DispatcherSlot, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def record(cast, count=1, session_id="sess_1", type="session.ended"):
    with transaction.atomic():
        for number in range(count):
            services.event_record(
                tenant=cast.tenant, type=type, data={"number": number}, session_id=session_id
            )


def deliver():
    return dispatch_while_due(linger=0.0)


def test_every_event_arrives_signed_and_in_the_order_of_its_session(cast, private):
    with receiving() as receiver:
        _, secret = services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast, 20)
        assert deliver() == 20
    verified = [Webhook(secret).verify(got.body, got.headers) for got in receiver.received]
    assert [event["data"]["number"] for event in verified] == list(range(20))
    assert {event["object"] for event in verified} == {"webhook_event"}
    assert {row.status for row in deliveries()} == {"delivered"}
    assert Attempt.objects.count() == 20


def test_a_repeat_has_the_same_body_and_ids_and_a_higher_count(cast, private):
    with receiving(reply(500)) as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast)
        deliver()
        Delivery.objects.update(next_attempt_at="2020-01-01T00:00:00Z")
        deliver()
    first, second = receiver.received
    assert first.body == second.body
    for name in ("webhook-id", "kallglot-webhook-id", "kallglot-original-timestamp"):
        assert first.headers[name] == second.headers[name]
    assert [got.headers["kallglot-retry-count"] for got in receiver.received] == ["0", "1"]


def test_a_secret_that_cannot_be_opened_fails_its_own_deliveries_and_no_others(cast, private):
    with receiving() as broken, receiving() as sound:
        endpoint, _ = services.endpoint_create(tenant=cast.tenant, url=broken.url, events=["*"])
        services.endpoint_create(tenant=cast.tenant, url=sound.url, events=["*"])
        Endpoint.objects.filter(pk=endpoint.pk).update(secret=b"sealed under a key that is gone")
        record(cast)
        deliver()
    assert (len(broken.received), len(sound.received)) == (0, 1)
    [attempt] = Attempt.objects.filter(endpoint=endpoint)
    assert attempt.error.startswith("secret_unreadable")
    assert Delivery.objects.get(endpoint=endpoint).status == "pending"


def test_after_a_rotation_the_new_secret_signs_though_the_old_one_cannot_be_opened(cast, private):
    with receiving() as receiver:
        endpoint, _ = services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        Endpoint.objects.filter(pk=endpoint.pk).update(secret=b"sealed under a key that is gone")
        _, secret = services.endpoint_secret_rotate(endpoint=endpoint)
        record(cast)
        deliver()
    [got] = receiver.received
    assert Webhook(secret).verify(got.body, got.headers)


def test_a_slow_receiver_delays_only_itself(cast, private):
    """It answers only once the other has everything: were that waiting for it, nothing would."""
    with receiving() as slow, receiving() as quick:

        def answer_last(received, connection):
            quick.wait(50, timeout=25)
            reply()(received, connection)

        slow.script = answer_last
        for url in (slow.url, quick.url):
            services.endpoint_create(tenant=cast.tenant, url=url, events=["*"])
        record(cast, 50, session_id=None)
        deliver()
    assert len(quick.received) == len(slow.received) == 50
    assert {row.status for row in deliveries()} == {"delivered"}


def test_a_receiver_that_is_away_does_not_disturb_the_others(cast, private):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=CheckedUrl(dead), events=["*"])
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast, 5)
        deliver()
    assert len(receiver.received) == 5
    assert Delivery.objects.filter(status="pending", attempts=1).count() == 5


def test_each_attempt_is_counted_by_its_result(cast, private):
    def cut_short(received, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")

    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = CheckedUrl(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with (
        receiving() as good,
        receiving(reply(404)) as refusing,
        receiving(reply(503)) as busy,
        receiving(cut_short) as broken,
        counted("kallglot_webhook_attempts_total") as attempts,
        counted("kallglot_webhook_attempt_duration_seconds_count") as durations,
    ):
        for url in (good.url, refusing.url, busy.url, broken.url, away):
            services.endpoint_create(tenant=cast.tenant, url=url, events=["*"])
        record(cast)
        deliver()
    assert attempts == {("delivered",): 1, ("4xx",): 1, ("5xx",): 1, ("no_answer",): 2}
    assert durations == {(): 5}


def test_with_nothing_due_it_returns_at_once_and_takes_no_slot(cast, private):
    assert deliver() == 0
    assert not DispatcherSlot.objects.exists()


def test_a_dispatcher_frees_its_slot_when_it_ends(cast, private):
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast)
        deliver()
    assert DispatcherSlot.objects.get().owner == ""


def test_what_is_due_waits_while_all_slots_are_taken(cast, private):
    claims.slot_acquire("dsp_other", 1)
    services.endpoint_create(
        tenant=cast.tenant, url=CheckedUrl("http://127.0.0.1:9/"), events=["*"]
    )
    record(cast)
    assert deliver() == 0


def test_an_event_recorded_while_the_dispatcher_waits_is_delivered_without_a_message(cast, private):
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        sent_more: list[bool] = []

        def once_more(got, connection):
            reply()(got, connection)
            if not sent_more:
                sent_more.append(True)
                record(cast)

        receiver.script = once_more
        record(cast)
        assert dispatch_while_due(linger=1.0) == 2


def test_when_the_database_fails_for_a_moment_no_outcome_is_lost(cast, private, monkeypatch):
    real, failures = outcomes_record, iter([OperationalError("gone")] * 2)

    def flaky(owner, results):
        for failure in failures:
            raise failure
        real(owner, results)

    monkeypatch.setattr(dispatcher, "outcomes_record", flaky)
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast, 3)
        deliver()
    assert len(receiver.received) == 3
    assert {row.status for row in deliveries()} == {"delivered"}


def test_a_long_run_frees_its_slot_and_wakes_a_successor(cast, private, rings):
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast)
        dispatch_while_due(linger=60.0, budget=0.0)
    assert rings[-1] == claims.DELIVERIES.task
    assert DispatcherSlot.objects.get().owner == ""


def test_a_worker_that_is_stopped_finishes_what_is_in_flight_and_takes_no_more(cast, private):
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast, 5)  # of one session: one after the other
        made = dispatch_while_due(stopping=lambda: bool(receiver.received))
    assert made == 1
    assert [row.status for row in deliveries()].count("delivered") == 1
    assert DispatcherSlot.objects.get().owner == ""


def test_only_the_event_loop_reads_what_is_in_flight(cast, private, monkeypatch):
    """A thread would read it while the loop changes it."""
    threads = set()
    shares = Load.shares

    def noting(load):
        threads.add(threading.current_thread())
        return shares(load)

    monkeypatch.setattr(Load, "shares", noting)
    with receiving() as receiver:
        services.endpoint_create(tenant=cast.tenant, url=receiver.url, events=["*"])
        record(cast)
        deliver()
    assert threads == {threading.current_thread()}


def test_a_full_share_of_slow_endpoints_leaves_room_for_the_others():
    load = Load()
    for number in range(4):
        load.pace[f"wh_slow{number}"] = 10.0
    assert sum(load.shares().values()) <= dispatcher.SLOW_SHARE
    assert "wh_quick" not in load.shares()


def test_an_unanswered_request_makes_its_endpoint_slow(monkeypatch):
    load = Load()
    for number in range(dispatcher.SLOW_SHARE):
        load.begin(_message(f"whd_{number}", f"wh_{number}"))
    late = time.monotonic() + 2 * dispatcher.SLOW_AFTER
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert set(load.shares().values()) == {0}


def _message(delivery_id, endpoint_id):
    return Message(
        delivery_id, endpoint_id, "evt_1", "http://x/", b"", (), 0, 0, timezone.now(), False
    )


def test_waking_a_worker_neither_fails_nor_blocks_without_a_broker(monkeypatch):
    rung, failed = threading.Event(), threading.Event()

    def broken(task, **options):
        rung.wait(TIMEOUT)
        failed.set()
        raise ConnectionError

    monkeypatch.setattr(celery_app, "send_task", broken)
    for _ in range(100):
        doorbell.ring("some.task")
    assert not failed.is_set()  # all have returned, and the broker has not
    rung.set()
    assert failed.wait(TIMEOUT)
