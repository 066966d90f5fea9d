"""The number of queries of a page does not grow with its rows. Benchmarks measure the time."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from kallglot_site.accounts.models import AuditEntry
from kallglot_site.accounts.services import api_key_create, member_create
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from webhooks_app.health import LOOK_BACK, endpoint_health, endpoints_health
from webhooks_app.models import Attempt, Delivery, Endpoint, Event

MOST = 12

PAGES = [
    "/dashboard/",
    "/dashboard/live",
    "/dashboard/sessions",
    "/dashboard/sessions/{session}",
    "/dashboard/sessions/{session}/recordings-panel",
    "/dashboard/sessions/{session}/analysis-panel",
    "/dashboard/sessions/{session}/events-panel",
    "/dashboard/talk",
    "/dashboard/webhooks",
    "/dashboard/webhooks/{endpoint}",
    "/dashboard/webhooks/{endpoint}?type=session.ended&status=delivered",
    "/dashboard/webhooks/deliveries/{delivery}",
    "/dashboard/events",
    "/dashboard/events?type=session.ended",
    "/dashboard/events/{event}",
    "/dashboard/keys",
    "/dashboard/members",
    "/dashboard/settings",
    "/dashboard/settings/analysis",
    "/dashboard/settings/recordings",
    "/dashboard/audit",
]


@pytest.fixture
def places(cast: Cast) -> dict[str, str]:
    """Thirty rows of every kind, and the URLs of their pages."""
    tenant: dict[str, Any] = {"organization": cast.organization, "environment": "live"}
    endpoints = [
        Endpoint.objects.create(**tenant, url=f"https://example.com/{n}", events=["*"])
        for n in range(30)
    ]
    for number in range(30):
        session = SessionFactory.create(
            organization=cast.organization, status="active", started_at=timezone.now()
        )
        SegmentFactory.create(session=session, sequence=1)
        event = Event.objects.create(
            **tenant, type="session.ended", session_id=session.id, sequence=1, data={}
        )
        for endpoint in (endpoints[0], endpoints[number]):
            delivery = Delivery.objects.create(
                event=event,
                endpoint=endpoint,
                session_id=session.id,
                sequence=1,
                status="delivered",
                attempts=1,
            )
            Attempt.objects.create(
                delivery=delivery,
                endpoint=endpoint,
                number=1,
                at=timezone.now(),
                duration_ms=number,
                succeeded=True,
            )
        api_key_create(tenant=cast.tenant, name=f"Key {number}", created_by=cast.owner)
        member_create(
            organization=cast.organization,
            email=f"{number}@acme.example",
            password="password",
            role="reviewer",
        )
        AuditEntry.objects.create(
            organization=cast.organization, actor=cast.owner, action="session.ended"
        )
    return {
        "session": session.id,
        "endpoint": endpoints[0].id,
        "delivery": delivery.id,
        "event": event.id,
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_thirty_rows_takes_few_queries(cast, places, django_assert_max_num_queries, page):
    client = Client()
    client.force_login(cast.owner)
    with django_assert_max_num_queries(MOST):
        assert client.get(page.format(**places)).status_code == 200


def test_the_health_of_many_endpoints_equals_that_of_each(cast, places):
    endpoints = list(Endpoint.objects.all())
    first = endpoints[0]
    delivery = first.deliveries.order_by("-id")[0]
    for number in range(LOOK_BACK):
        Attempt.objects.create(
            delivery=delivery,
            endpoint=first,
            number=number + 2,
            at=timezone.now() - datetime.timedelta(minutes=number),
            duration_ms=1000,
            succeeded=number < 10,
            status_code=502,
        )
    together = endpoints_health(endpoints)
    assert together == [endpoint_health(endpoint) for endpoint in endpoints]
    assert (together[0].attempts, together[0].success, together[0].typical_ms) == (50, 20, 1000)
    assert together[0].last_failure == "HTTP 502"
    assert [health.attempts for health in together[1:]] == [1] * 29
    assert endpoints_health([]) == []
