"""Every route is requested with a secret in each place that a request has; no log line holds it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.test import Client

from kallglot_site.access_log import AccessLog
from kallglot_site.accounts.models import User
from kallglot_site.http_application import HttpApplication
from kallglot_site.log_paths import path_for_log
from tests.conftest import Cast
from tests.fakes.logs import SECRET, captured_log, leaks, path_of, routes

pytestmark = pytest.mark.timeout(600)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROUTES = sorted({path_of(route) for route in routes()})


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with captured_log() as buffer:
        yield buffer


async def request(application: Any, method: str, path: str, headers: list[Any]) -> None:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": f"token={SECRET}&q={SECRET}".encode(),
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 50_000),
    }
    client = ApplicationCommunicator(application, scope)
    body = json.dumps({SECRET: SECRET}).encode()
    await client.send_input({"type": "http.request", "body": body})
    message = await client.receive_output(timeout=20)
    while message["type"] == "http.response.start" or message.get("more_body"):
        message = await client.receive_output(timeout=20)
    await client.wait()


def headers_with(**credentials: str) -> list[tuple[bytes, bytes]]:
    """A secret in every header, except those given."""
    values = {
        "authorization": f"Bearer {SECRET}",
        "x-api-key": SECRET,
        "idempotency-key": SECRET,
        "cookie": f"sessionid={SECRET}; csrftoken={SECRET}",
        "referer": f"http://localhost/{SECRET}",
        "user-agent": SECRET,
        "x-request-id": SECRET,
        "x-csrftoken": SECRET,
        "x-forwarded-for": SECRET,
        "content-type": "application/json",
        **credentials,
    }
    return [(name.encode(), value.encode()) for name, value in values.items()]


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.mark.django_db(transaction=True)
async def test_no_log_holds_a_secret_of_a_request_on_any_route(logged: io.StringIO) -> None:
    application = HttpApplication()
    for path in ROUTES:
        for method in METHODS:
            await request(AccessLog(application), method, path, headers_with())
    await request(AccessLog(application), "GET", f"/{SECRET}/invitation/{SECRET}", headers_with())
    application.close()
    text = logged.getvalue()
    lines = [line for line in text.splitlines() if '"http"' in line]
    assert len(lines) == len(ROUTES) * len(METHODS) + 1
    assert leaks(text) == []


@pytest.mark.django_db(transaction=True)
async def test_no_log_holds_a_secret_of_a_signed_in_caller_on_any_route(
    logged: io.StringIO, cast: Cast
) -> None:
    """Past the sign-in, the rest of the request is read: with an API key, as a member, as an
    operator."""
    operator = await sync_to_async(User.objects.create_superuser)("op@kallglot.example", "password")
    application = HttpApplication()
    sessions: list[str] = []
    for path in ROUTES:
        for method in METHODS:
            if path.startswith("/v1/"):
                headers = headers_with(authorization=f"Bearer {cast.key}")
            else:
                user = operator if path.startswith("/admin/") else cast.owner
                sessions.append(await sync_to_async(session_of)(user))
                headers = headers_with(cookie=f"sessionid={sessions[-1]}")
            await request(AccessLog(application), method, path, headers)
    application.close()
    assert leaks(logged.getvalue(), cast.key, *sessions) == []


@pytest.mark.django_db(transaction=True)
async def test_no_log_holds_the_path_of_a_request_that_failed(
    logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = HttpApplication()
    monkeypatch.setattr(
        "django.contrib.auth.views.PasswordResetConfirmView.get_user", lambda *_: 1 / 0
    )
    await request(AccessLog(application), "GET", f"/password/{SECRET}/{SECRET}", [])
    application.close()
    text = logged.getvalue()
    assert "ZeroDivisionError" in text, "the error itself is logged"
    assert SECRET not in text


@pytest.mark.parametrize(
    "line",
    [
        f"GET /invitation/{SECRET}",
        f"GET /password/MQ/{SECRET}?x=1",
        f"GET /join/{SECRET}",
    ],
)
def test_a_secret_path_that_a_library_logs_is_redacted(logged: io.StringIO, line: str) -> None:
    logging.getLogger("library").warning(line)
    assert SECRET not in logged.getvalue()


def test_the_id_of_an_object_stays_readable() -> None:
    path = "/v1/sessions/sess_01KD3M8Q2Z6V4T9X5R7W1Y0ABC/connect"
    assert path_for_log(path, None) == path
