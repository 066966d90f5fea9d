"""Every route is requested with a secret in each place that a request has; no log line holds it."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from kallglot_site.access_log import AccessLog
from kallglot_site.http_application import HttpApplication
from kallglot_site.log_config import logging_configure
from kallglot_site.log_paths import path_for_log

SECRET = "Secret4Log-9f8e7d6c5b4a"
METHODS = ("GET", "POST", "DELETE")


def routes(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from routes(each, prefix + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield prefix + str(each.pattern)


def with_secrets(route: str) -> str:
    route = re.sub(r"\(\?P<action>(\w+)[^)]*\)", r"\1", route)
    route = re.sub(r"<int:\w+>", "7", route)
    route = re.sub(r"\(\?P<\w+>[^)]*\)|<(?:\w+:)?\w+>", SECRET, route)
    return "/" + route.replace("^", "").replace("$", "").replace("\\Z", "")


ROUTES = sorted({with_secrets(route) for route in routes()})


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    logging_configure({"level": "DEBUG", "format": "json"})
    buffer = io.StringIO()
    (handler,) = [h for h in logging.getLogger().handlers if h.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(buffer)
    yield buffer
    logging_configure(settings.LOGGING)


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


@pytest.mark.django_db(transaction=True)
async def test_no_log_holds_a_secret_of_a_request_on_any_route(logged: io.StringIO) -> None:
    application = HttpApplication()
    headers = [
        (b"authorization", f"Bearer {SECRET}".encode()),
        (b"x-api-key", SECRET.encode()),
        (b"idempotency-key", SECRET.encode()),
        (b"cookie", f"sessionid={SECRET}".encode()),
        (b"referer", f"http://localhost/{SECRET}".encode()),
        (b"user-agent", SECRET.encode()),
        (b"content-type", b"application/json"),
    ]
    for path in ROUTES:
        for method in METHODS:
            await request(AccessLog(application), method, path, headers)
    await request(AccessLog(application), "GET", f"/{SECRET}/invitation/{SECRET}", headers)
    application.close()
    lines = logged.getvalue().splitlines()
    assert sum('"http"' in line for line in lines) == len(ROUTES) * len(METHODS) + 1
    assert [line for line in lines if SECRET in line] == []


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
