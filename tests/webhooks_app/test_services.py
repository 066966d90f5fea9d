"""Recording events, managing endpoints and secrets, redelivering."""

import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.tenancy import Tenant
from tests.webhooks_app.conftest import deliveries
from webhooks_app import services, signing
from webhooks_app.delivery.claims import Limits, claim
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.errors import (
    EndpointDisabled,
    EndpointUnknown,
    PayloadErased,
    TooManyEndpoints,
    UnknownEventType,
)
from webhooks_app.event_types import SUBSCRIBABLE
from webhooks_app.models import Attempt, Delivery, Endpoint, Event
from webhooks_app.services import event_record

URL = CheckedUrl("http://127.0.0.1:9/hook")


def record(tenant: Tenant, type="session.ended", session_id="sess_1"):
    with transaction.atomic():
        return event_record(tenant=tenant, type=type, data={"id": "sess_1"}, session_id=session_id)


def test_an_event_gets_a_delivery_for_each_endpoint_that_wants_it(cast, private):
    every, _ = services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])
    ended, _ = services.endpoint_create(tenant=cast.tenant, url=URL, events=["session.ended"])
    services.endpoint_create(tenant=cast.tenant, url=URL, events=["recording.ready"])
    event = record(cast.tenant)
    assert {row.endpoint_id for row in deliveries(event=event)} == {every.id, ended.id}


def test_no_event_reaches_another_organization_or_environment(cast, private):
    for tenant in (cast.test_tenant, cast.other_tenant):
        services.endpoint_create(tenant=tenant, url=URL, events=["*"])
    record(cast.tenant)
    assert deliveries() == []


@pytest.mark.parametrize("gone", ["disabled", "deleted"])
def test_an_endpoint_that_is_off_gets_nothing_new_and_what_waited_is_cancelled(
    cast, endpoint, gone
):
    record(cast.tenant)
    if gone == "disabled":
        services.endpoint_update(endpoint=endpoint, status="disabled")
    else:
        services.endpoint_delete(endpoint=endpoint)
    record(cast.tenant)
    assert [row.status for row in deliveries()] == ["cancelled"]


def test_events_of_a_session_are_numbered_from_one(cast):
    assert [record(cast.tenant).sequence for _ in range(3)] == [1, 2, 3]
    assert record(cast.tenant, session_id="sess_2").sequence == 1
    assert record(cast.tenant, session_id=None).sequence is None


def test_recording_an_event_outside_of_a_transaction_raises(transactional_db, cast):
    with pytest.raises(transaction.TransactionManagementError):
        event_record(tenant=cast.tenant, type="session.ended", data={})


def test_a_rolled_back_change_records_no_event_and_wakes_no_worker(
    cast, endpoint, rings, django_capture_on_commit_callbacks
):
    def change_that_fails():
        with transaction.atomic():
            event_record(tenant=cast.tenant, type="session.ended", data={}, session_id="sess_1")
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        change_that_fails()
    assert Event.objects.count() == Delivery.objects.count() == 0
    assert rings == []


def test_an_event_wakes_a_worker_after_its_commit(
    cast, endpoint, rings, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        record(cast.tenant)
        assert rings == []
    assert rings == ["webhooks_app.tasks.dispatch"]


# --- Endpoints -----------------------------------------------------------------------------------


def test_an_endpoints_secret_is_shown_once_and_kept_sealed(cast, private):
    endpoint, secret = services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])
    stored = bytes(Endpoint.objects.get(id=endpoint.id).secret or b"")
    assert secret.encode() not in stored
    assert signing.secret_open(stored) == secret


@pytest.mark.parametrize("events", [[], ["session.exploded"], ["webhook.test"], [""]])
def test_only_known_event_types_can_be_subscribed_to(cast, private, events):
    with pytest.raises(UnknownEventType) as caught:
        services.endpoint_create(tenant=cast.tenant, url=URL, events=events)
    assert caught.value.param == "events"


def test_a_star_among_types_means_all(cast, private):
    endpoint, _ = services.endpoint_create(tenant=cast.tenant, url=URL, events=[*SUBSCRIBABLE, "*"])
    assert endpoint.events == ["*"]


def test_the_number_of_endpoints_is_limited(cast, private, monkeypatch):
    monkeypatch.setattr(services, "MAX_ENDPOINTS", 1)
    services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])
    with pytest.raises(TooManyEndpoints):
        services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])


def test_enabling_resets_the_health(endpoint):
    Endpoint.objects.filter(id=endpoint.id).update(
        status="disabled",
        disabled_reason="failing",
        disabled_at=timezone.now(),
        failing_since=timezone.now() - datetime.timedelta(days=4),
        slowdown=3,
        paused_until=timezone.now() + datetime.timedelta(hours=1),
    )
    services.endpoint_update(endpoint=endpoint, status="enabled")
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    assert (endpoint.disabled_reason, endpoint.failing_since, endpoint.slowdown) == (None, None, 0)
    assert endpoint.paused_until is None


def test_a_deleted_endpoint_cannot_be_changed(endpoint):
    services.endpoint_delete(endpoint=endpoint)
    with pytest.raises(EndpointUnknown):
        services.endpoint_update(endpoint=endpoint, description="still here?")


# --- Secrets -------------------------------------------------------------------------------------


def signing_secrets(tenant):
    """The secrets that would sign an event recorded now."""
    Delivery.objects.all().delete()
    record(tenant)
    (message,) = claim("dsp_test", Limits(10, {}))
    return message.secrets


def test_after_a_rotation_both_secrets_sign_for_24_hours(cast, private, time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    endpoint, old = services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])
    _, new = services.endpoint_secret_rotate(endpoint=endpoint)
    assert signing_secrets(cast.tenant) == (new, old)
    time_machine.shift(datetime.timedelta(hours=23, minutes=59))
    assert signing_secrets(cast.tenant) == (new, old)
    time_machine.shift(datetime.timedelta(minutes=2))
    assert signing_secrets(cast.tenant) == (new,)


def test_an_organization_has_one_secret_per_environment(cast):
    live = services.organization_secret(tenant=cast.tenant)
    assert services.organization_secret(tenant=cast.tenant) == live
    assert services.organization_secret(tenant=cast.test_tenant) != live


def test_a_delivery_to_a_given_url_is_signed_with_the_organizations_secret(cast, private):
    event = record(cast.tenant, "analysis.complete")
    services.delivery_create_for_url(tenant=cast.tenant, event=event, url=URL)
    (message,) = claim("dsp_test", Limits(10, {}))
    assert message.url == URL
    assert message.secrets == (services.organization_secret(tenant=cast.tenant),)


def test_a_given_url_subscribes_to_nothing(cast, private):
    event = record(cast.tenant, "analysis.complete")
    services.delivery_create_for_url(tenant=cast.tenant, event=event, url=URL)
    services.delivery_create_for_url(tenant=cast.tenant, event=event, url=URL)
    record(cast.tenant)
    assert len(deliveries()) == 2
    assert Endpoint.objects.count() == 1


# --- Deliveries ----------------------------------------------------------------------------------


def finished(tenant, status) -> Delivery:
    delivery = Delivery.objects.get(event=record(tenant))
    Delivery.objects.filter(id=delivery.id).update(
        status=status, next_attempt_at=None, attempts=8, tries=8
    )
    delivery.refresh_from_db()
    return delivery


@pytest.mark.parametrize("status", ["delivered", "failed", "cancelled"])
def test_a_delivery_can_be_sent_again_with_a_fresh_schedule(cast, endpoint, status):
    delivery = services.delivery_redeliver(delivery=finished(cast.tenant, status))
    assert (delivery.status, delivery.attempts, delivery.tries) == ("pending", 8, 0)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at <= timezone.now()


def test_a_delivery_under_way_is_not_sent_twice(cast, endpoint):
    delivery = Delivery.objects.get(event=record(cast.tenant))
    claim("dsp_test", Limits(10, {}))
    services.delivery_redeliver(delivery=delivery)
    assert claim("dsp_other", Limits(10, {})) == []


def test_nothing_is_sent_again_to_a_disabled_endpoint(cast, endpoint):
    delivery = finished(cast.tenant, "failed")
    services.endpoint_update(endpoint=endpoint, status="disabled")
    delivery = Delivery.objects.get(id=delivery.id)
    with pytest.raises(EndpointDisabled):
        services.delivery_redeliver(delivery=delivery)
    with pytest.raises(EndpointDisabled):
        services.endpoint_redeliver(endpoint=delivery.endpoint, since=timezone.now())


def test_all_that_failed_since_a_time_can_be_sent_again(cast, endpoint):
    old, failed, cancelled, _delivered = (
        finished(cast.tenant, status) for status in ("failed", "failed", "cancelled", "delivered")
    )
    hour = datetime.timedelta(hours=1)
    Delivery.objects.filter(id=old.id).update(created_at=timezone.now() - 2 * hour)
    assert services.endpoint_redeliver(endpoint=endpoint, since=timezone.now() - hour) == 2
    pending = {row.id for row in deliveries(status="pending")}
    assert pending == {failed.id, cancelled.id}


def test_a_test_event_goes_to_the_endpoint_under_test_alone(cast, private):
    first, _ = services.endpoint_create(tenant=cast.tenant, url=URL, events=["session.ended"])
    services.endpoint_create(tenant=cast.tenant, url=URL, events=["*"])
    delivery = services.endpoint_test(endpoint=first)
    assert deliveries() == [delivery]
    assert delivery.event.type == "webhook.test"
    assert "secret" not in str(delivery.event.data)


def test_erasing_a_session_erases_its_payloads_and_cancels_its_deliveries(cast, endpoint):
    event = record(cast.tenant)
    delivery = Delivery.objects.get(event=event)
    Attempt.objects.create(
        delivery=delivery,
        endpoint=endpoint,
        number=1,
        at=timezone.now(),
        duration_ms=1,
        succeeded=False,
        response_body="you said: hello",
    )
    assert services.session_events_erase(session_id="sess_1") == 1
    event.refresh_from_db()
    delivery = Delivery.objects.get(id=delivery.id)
    assert event.data == {"id": "sess_1", "object": "session", "erased": True}
    assert delivery.status == "cancelled"
    assert Attempt.objects.get().response_body == ""
    with pytest.raises(PayloadErased):
        services.delivery_redeliver(delivery=delivery)


def test_a_redelivery_starts_the_schedule_anew_and_counts_on(cast, endpoint):
    event = record(cast.tenant)
    delivery = Delivery.objects.get(event=event)
    Delivery.objects.update(status="failed", attempts=8, tries=8, next_attempt_at=None)
    delivery = services.delivery_redeliver(delivery=delivery)
    assert (delivery.status, delivery.attempts, delivery.tries) == ("pending", 8, 0)
