"""Fixtures of webhook tests: local receivers are allowed, and no message reaches a broker."""

import pytest

from kallglot_site import doorbell
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, Endpoint
from webhooks_app.services import endpoint_create


@pytest.fixture
def rings(monkeypatch):
    """The tasks that were rung for."""
    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring", rung.append)
    return rung


@pytest.fixture
def private(settings, rings):
    """Development: http and private addresses may be receivers."""
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def endpoint(cast, private) -> Endpoint:
    return endpoint_create(
        tenant=cast.tenant, url=CheckedUrl("http://127.0.0.1:9/hook"), events=["*"]
    )[0]


def deliveries(**filters) -> list[Delivery]:
    return list(Delivery.objects.filter(**filters).order_by("id"))
