"""Concurrent creates, and creates killed at any statement: no second and no partial object."""

import concurrent.futures
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from kallglot_site.accounts.models import ApiKey
from kallglot_site.api.models import IdempotentResponse
from sessions_app.models import Session
from tests.conftest import Cast
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"mode": "transcription"}


def _post(key: str, idempotency_key: str | None) -> Any:
    headers = {"X-API-Key": key}
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    try:
        return Client(headers=headers).post("/v1/sessions", BODY, "application/json")
    finally:
        connections.close_all()


def _race(key: str, idempotency_key: str | None, times: int = 20) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: _post(key, idempotency_key), range(times)))


def test_twenty_concurrent_posts_with_one_key_create_one_session(cast: Cast) -> None:
    answers = _race(cast.key, "the-one")

    assert Session.objects.count() == 1
    assert Event.objects.filter(type="session.created").count() == 1
    created = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len({answer.content for answer in created}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in created) == 1
    assert {answer.status_code for answer in refused} <= {409}


def test_concurrent_creates_do_not_exceed_the_plan(cast: Cast) -> None:
    cast.organization.concurrent_sessions = 5
    cast.organization.save()

    answers = _race(cast.key, None)

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [429] * 15
    assert Session.objects.count() == 5


def test_concurrent_requests_do_not_exceed_the_rate_limit(cast: Cast) -> None:
    cast.organization.requests_per_minute = 7
    cast.organization.save()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:

        def get(_: int) -> int:
            try:
                response = Client(headers={"X-API-Key": cast.key}).get("/v1/sessions")
                return int(response.status_code)
            finally:
                connections.close_all()

        statuses = list(pool.map(get, range(20)))

    # If a new minute begins meanwhile, it allows another seven.
    assert statuses.count(200) in range(7, 15)
    assert statuses.count(200) + statuses.count(429) == 20


class _KilledClients:
    """Processes that POST with the idempotency key "killed" and are killed meanwhile."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.kallglot_site.api.killed_clients"],
            env=_environment(),
            cwd=Path(__file__).resolve().parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def post(self, key: str, *, killed_before: int) -> bool:
        """Whether the process answered before it was killed."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"{killed_before} {key}\n")
        self._parent.stdin.flush()
        status = int(self._parent.stdout.readline())
        assert status in {0, -signal.SIGKILL}
        return status == 0

    def close(self) -> None:
        self._parent.communicate(timeout=20)


@pytest.fixture
def clients(cast: Cast) -> Iterator[_KilledClients]:
    clients = _KilledClients()
    yield clients
    clients.close()


def _environment() -> dict[str, str]:
    """The environment of this process, with the test's database."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{settings['NAME']}"
    else:
        url = (
            f"postgres://{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:"
            f"{settings['PORT'] or 5432}/{settings['NAME']}"
        )
    return {**os.environ, "DATABASE_URL": url, "REDIS_URL": ""}


def test_a_create_killed_before_any_statement_leaves_all_or_nothing(
    cast: Cast, clients: _KilledClients
) -> None:
    # Otherwise the last use of the key would be written after the answer, outside of the create.
    ApiKey.objects.update(last_used_at="2099-01-01T00:00:00Z")
    connections.close_all()
    nothing_left, all_there, fatal = 0, 0, 1

    while not clients.post(cast.key, killed_before=fatal):
        stored = IdempotentResponse.objects.count()
        assert Session.objects.count() == stored
        assert Event.objects.count() == stored
        nothing_left, all_there = nothing_left + (not stored), all_there + stored
        # The same key then creates the session, or replays the one that was created.
        answer = _post(cast.key, "killed")
        assert answer.status_code == 201
        assert ("Idempotent-Replayed" in answer) == bool(stored)
        assert Session.objects.get().id == answer.json()["id"]
        for model in (IdempotentResponse, Session, Event):
            model._default_manager.all().delete()
        connections.close_all()
        fatal += 1

    assert nothing_left >= 8, "a create has more statements than were interrupted"
    assert all_there >= 1, "no process was killed right after the commit"
    assert Session.objects.count() == 1
