"""/healthz, /readyz and /metrics."""

import asyncio
import json
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from kallglot_site import backing_services, health
from kallglot_site.asgi import application
from kallglot_site.health import HealthPages, Remembered
from kallglot_site.version import VERSION


async def fine() -> health.Check:
    return {"ok": True, "reason": ""}


@pytest.fixture
def all_fine(monkeypatch):
    monkeypatch.setattr(health, "CHECKS", dict.fromkeys(("database", "broker", "engine"), fine))
    return health.CHECKS


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def asked(path: str, *, method: str = "GET", client: str = "127.0.0.1", **headers) -> Answer:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "client": [client, 50_000],
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output(5)
    body = await communicator.receive_output(5)
    found = {k.decode(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], found, body["body"])


async def test_healthz_answers_any_host_name():
    answer = await asked("/healthz", host="10.1.2.3")
    assert (answer.status, answer.json) == (200, {"status": "ok", "version": VERSION})


async def test_readyz_lists_its_checks(all_fine):
    answer = await asked("/readyz")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json["checks"]) == {"database", "broker", "engine"}


async def test_readyz_gives_the_reason_when_not_ready(all_fine):
    async def loading() -> health.Check:
        return {"ok": False, "reason": "the transcription engine is loading"}

    all_fine["engine"] = loading
    answer = await asked("/readyz")
    assert answer.status == 503
    assert answer.json["status"] == "unavailable"
    assert answer.json["checks"]["engine"]["reason"] == "the transcription engine is loading"


async def test_health_is_answered_while_every_request_thread_is_busy(all_fine, monkeypatch):
    release = threading.Event()
    http = application.application_mapping["http"].app.app
    monkeypatch.setattr(http, "_work", lambda request: release.wait(10) and None)
    busy = []
    for _ in range(40):
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        communicator = ApplicationCommunicator(application, scope)
        await communicator.send_input({"type": "http.request", "body": b""})
        busy.append(communicator)
    await asyncio.sleep(0.1)
    try:
        async with asyncio.timeout(2):
            assert (await asked("/healthz")).status == 200
            assert (await asked("/readyz")).status == 200
    finally:
        for communicator in busy:
            communicator.stop(exceptions=False)
        release.set()


@pytest.mark.django_db(transaction=True)
async def test_the_real_database_and_broker_are_checked():
    assert (await Remembered(backing_services.database)())["ok"]
    assert (await Remembered(backing_services.broker)())["ok"]


async def test_a_broker_that_refuses_connections_fails_the_check(settings):
    settings.CELERY_BROKER_URL = "redis://:hunter2@127.0.0.1:1/0"
    answer = await Remembered(backing_services.broker)()
    assert not answer["ok"]
    assert "does not answer" in answer["reason"]
    assert "hunter2" not in json.dumps(answer)


async def test_many_requests_check_a_service_once():
    count, now = [], [0.0]
    check = Remembered(lambda: count.append(1), clock=lambda: now[0])
    await asyncio.gather(*(check() for _ in range(5)))
    await check()
    assert len(count) == 1
    now[0] += 2.1
    await check()
    assert len(count) == 2


async def test_a_service_that_hangs_holds_one_thread_and_answers_in_time(monkeypatch):
    monkeypatch.setattr(health, "TIMEOUT", 0.05)
    started, release = [], threading.Event()

    def hang() -> None:
        started.append(1)
        release.wait(10)

    check = Remembered(hang)
    answers = await asyncio.gather(*(check() for _ in range(20)))
    release.set()
    assert len(started) == 1
    assert {answer["reason"] for answer in answers} == {"does not answer in time"}


async def test_only_get_and_head_are_allowed():
    answer = await asked("/readyz", method="POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_a_head_request_gets_no_body():
    answer = await asked("/healthz", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


async def test_in_development_metrics_are_for_this_machine():
    answer = await asked("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"# TYPE process_cpu_seconds_total counter" in answer.body


async def test_metrics_are_refused_to_other_machines():
    assert (await asked("/metrics", client="10.0.0.7")).status == 403
    assert (await asked("/metrics", x_forwarded_for="203.0.113.9")).status == 403


async def test_in_production_a_local_proxy_without_headers_does_not_expose_metrics(settings):
    settings.PRODUCTION = True
    assert (await asked("/metrics", client="127.0.0.1")).status == 403


async def test_with_a_metrics_token_only_its_bearer_gets_metrics(settings):
    settings.PRODUCTION, settings.METRICS_TOKEN = True, "correct-horse"
    assert (await asked("/metrics")).status == 403
    assert (await asked("/metrics", authorization="Bearer battery-staple")).status == 403
    right = await asked("/metrics", client="10.0.0.7", authorization="Bearer correct-horse")
    assert right.status == 200


def test_health_pages_are_answered_before_django():
    assert isinstance(application.application_mapping["http"], HealthPages)


async def test_readyz_is_ready_without_a_translator_and_says_so(all_fine, monkeypatch):
    reason = {"translator": "the translator cannot start: no model"}
    monkeypatch.setattr("sessions_app.runtime.missing_engines", lambda: reason)
    answer = await asked("/readyz")
    assert answer.status == 200
    assert answer.json["degraded"] == reason
