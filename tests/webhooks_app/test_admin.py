"""The Django admin shows the same rows, and acts through the same services."""

import pytest
from django.db import transaction
from django.test import Client

from webhooks_app import services
from webhooks_app.models import Delivery, Endpoint


@pytest.fixture
def operator(cast) -> Client:
    cast.owner.is_staff = cast.owner.is_superuser = True
    cast.owner.save()
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def delivery(cast, endpoint) -> Delivery:
    with transaction.atomic():
        event = services.event_record(tenant=cast.tenant, type="session.ended", data={})
    return event.deliveries.get()


def test_every_row_can_be_read_and_no_secret_with_it(operator, delivery):
    for model, row in (
        ("endpoint", delivery.endpoint_id),
        ("delivery", delivery.id),
        ("event", delivery.event_id),
    ):
        path = f"/admin/webhooks_app/{model}/"
        assert row in operator.get(path).text
        # Ids hold an underscore, which the admin writes in its own way.
        page = operator.get(f"{path}{row.replace('_', '_5F')}/change/")
        assert page.status_code == 200
        assert "secret" not in page.text.lower()


def test_nothing_can_be_added(operator):
    assert operator.get("/admin/webhooks_app/endpoint/add/").status_code == 403


def act(client, model, action, row):
    return client.post(
        f"/admin/webhooks_app/{model}/", {"action": action, "_selected_action": [row]}
    )


def test_an_endpoint_is_disabled_by_its_service(operator, delivery):
    act(operator, "endpoint", "disable", delivery.endpoint_id)
    delivery.refresh_from_db()
    assert Endpoint.objects.get().disabled_reason == "manual"
    assert delivery.status == "cancelled"


def test_a_delivery_is_sent_again_by_its_service(operator, delivery):
    Delivery.objects.update(status="failed", next_attempt_at=None)
    act(operator, "delivery", "redeliver", delivery.id)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
