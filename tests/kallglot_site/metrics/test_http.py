"""Requests are counted by method, route and status."""

import asyncio
from typing import Any

import pytest
from prometheus_client import generate_latest

from kallglot_site.http_application import HttpApplication
from kallglot_site.metrics.http import HttpMetrics
from tests.factories import SessionFactory
from tests.kallglot_site.metrics.samples import samples, value
from tests.kallglot_site.test_http_application import fetched

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "sess_01JUNKNOWNUNKNOWN"


@pytest.fixture
def application(db):
    application = HttpApplication()
    yield HttpMetrics(application)
    application.close()


def counted(method: str, route: str, status: str) -> float:
    labels = {"method": method, "route": route, "status": status}
    return value(generate_latest(), "kallglot_http_requests_total", **labels)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/sessions", "/v1/sessions", "401"),
        ("GET", f"/v1/sessions/{SECRET}", "/v1/sessions/<str:session_id>", "401"),
        ("POST", "/v1/sessions", "/v1/sessions", "401"),
        ("GET", "/dashboard/sessions", "/dashboard/sessions", "302"),
        ("GET", f"/v1/nothing/{SECRET}", "unmatched", "404"),
        ("GET", f"/nothing/{SECRET}", "unmatched", "404"),
        ("GET", f"/static/{SECRET}.css", "static", "404"),
        ("BREW", "/v1/sessions", "/v1/sessions", "401"),
    ],
)
async def test_a_request_is_counted_under_its_route(application, method, path, route, status):
    shown = method if method != "BREW" else "other"
    before = counted(shown, route, status)
    await fetched(application, method, path)
    assert counted(shown, route, status) == before + 1
    assert SECRET not in generate_latest().decode()


async def test_an_answer_is_timed_under_its_route(application, cast):
    session = await asyncio.to_thread(SessionFactory.create, organization=cast.organization)
    name, route = "kallglot_http_request_duration_seconds_count", "/v1/sessions/<str:session_id>"
    before = value(generate_latest(), name, route=route)
    key = (b"authorization", f"Bearer {cast.key}".encode())
    start, *_ = await fetched(application, "GET", f"/v1/sessions/{session.id}", key)
    assert start["status"] in {200, 404}
    assert value(generate_latest(), name, route=route) == before + 1


def scope(path: str = "/v1/sessions") -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": []}


async def test_a_client_that_left_is_counted_as_499():
    async def leaves(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    before = counted("GET", "unmatched", "499")
    with pytest.raises(asyncio.CancelledError):
        await HttpMetrics(leaves)(scope(), None, None)
    assert counted("GET", "unmatched", "499") == before + 1


async def test_a_request_that_breaks_is_counted_as_500_and_is_no_longer_in_progress():
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        assert value(generate_latest(), "kallglot_http_requests_in_progress") == 1
        raise ValueError

    before = counted("GET", "unmatched", "500")
    with pytest.raises(ValueError):  # noqa: PT011 - raised above
        await HttpMetrics(breaks)(scope(), None, None)
    assert counted("GET", "unmatched", "500") == before + 1
    assert value(generate_latest(), "kallglot_http_requests_in_progress") == 0


async def test_labels_hold_no_path_that_was_requested(application):
    for number in range(20):
        await fetched(application, "GET", f"/v1/sessions/sess_{number}")
        await fetched(application, "GET", f"/nothing/{number}")
    routes = {
        dict(labels)["route"]
        for name, labels in samples(generate_latest())
        if name == "kallglot_http_requests_total"
    }
    assert not any("sess_" in route or route.startswith("/nothing") for route in routes)
