"""Rate limits per key and group of endpoints."""

import concurrent.futures
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from django.test import Client

from kallglot_site.accounts.services import api_key_create
from kallglot_site.api import throttle_stores
from kallglot_site.api.throttle_stores import (
    DatabaseStore,
    FallbackStore,
    FileStore,
    MemoryStore,
    RedisStore,
    Store,
)
from tests.conftest import Cast
from tests.kallglot_site.api.counting import count

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_a_minute(cast: Cast) -> Cast:
    cast.organization.requests_per_minute = 3
    cast.organization.save()
    return cast


def test_requests_beyond_the_plan_get_429_and_the_headers_count_down(
    three_a_minute: Cast, api: Client
) -> None:
    with time_machine.travel("2030-01-01T00:00:20Z", tick=False):
        answers = [api.get("/v1/sessions") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer["X-RateLimit-Limit"] for answer in answers} == {"3"}
    assert {answer["X-RateLimit-Reset"] for answer in answers} == {"1893456060"}
    assert answers[3]["Retry-After"] == "40"
    assert answers[3].json()["error"]["code"] == "rate_limit_exceeded"


def test_the_count_starts_again_each_minute(three_a_minute: Cast, api: Client) -> None:
    with time_machine.travel("2030-01-01T00:01:20Z", tick=False):
        for _ in range(4):
            response = api.get("/v1/sessions")
    with time_machine.travel("2030-01-01T00:02:00Z", tick=False):
        assert response.status_code == 429
        assert api.get("/v1/sessions").status_code == 200


def test_every_key_has_its_own_count(three_a_minute: Cast, api: Client) -> None:
    _, second = api_key_create(tenant=three_a_minute.tenant, name="second")
    with time_machine.travel("2030-01-01T00:03:20Z", tick=False):
        for _ in range(4):
            api.get("/v1/sessions")
        response = Client(headers={"X-API-Key": second}).get("/v1/sessions")

    assert response["X-RateLimit-Remaining"] == "2"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/v1/sessions/nonsense", 404),
        ("get", "/v1/sessions?limit=0", 422),
        ("put", "/v1/sessions", 405),
        ("post", "/v1/sessions", 415),
    ],
)
def test_errors_have_rate_limit_headers_too(api, method, path, status) -> None:
    response = (
        getattr(api, method)(path, b"x", content_type="text/plain")
        if (method == "post")
        else getattr(api, method)(path)
    )

    assert response.status_code == status
    assert response["X-RateLimit-Remaining"]


def test_responses_without_a_key_have_no_rate_limit_headers(client: Client) -> None:
    assert "X-RateLimit-Limit" not in client.get("/v1/sessions")


@pytest.fixture(params=["memory", "file", "database", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, db: None) -> Store:
    if request.param == "redis":
        return RedisStore(request.getfixturevalue("redis_url"))
    if request.param == "file":
        return FileStore(tmp_path / "counts.sqlite3")
    return MemoryStore() if request.param == "memory" else DatabaseStore()


def test_every_store_counts_by_name_and_window(store: Store, tmp_path: Path) -> None:
    name = str(tmp_path)[-80:]  # unique, also in a Redis that others use

    assert [store.increment(name, 60) for _ in range(3)] == [1, 2, 3]
    assert store.increment(name + "x", 60) == 1
    assert store.increment(name, 120) == 1
    store.sweep()


def test_the_file_store_is_exact_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "counts.sqlite3"
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
        counts = [pool.submit(count, path, 200) for _ in range(4)]
        seen = sorted(number for future in counts for number in future.result())

    assert seen == list(range(1, 801))


def test_counts_are_swept_in_short_statements(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not isinstance(store, DatabaseStore | FileStore):
        pytest.skip("this store needs no sweep")
    monkeypatch.setattr(throttle_stores, "SWEPT_AT_ONCE", 2)
    for number in range(5):
        store.increment(f"old-{number}", 60)
    store.increment("new", 4_000_000_000)
    store.sweep()
    assert [store.increment(f"old-{number}", 60) for number in range(5)] == [1] * 5
    assert store.increment("new", 4_000_000_000) == 2


class _Broken(Store):
    failures = (redis.ConnectionError,)
    attempts = 0

    def increment(self, name: str, window: int) -> int:
        self.attempts += 1
        raise redis.ConnectionError("refused")


def test_while_the_shared_store_fails_requests_are_counted_in_the_process(caplog: Any) -> None:
    broken = _Broken()
    fallback = FallbackStore(broken)

    assert [fallback.increment("key", 60) for _ in range(3)] == [1, 2, 3]
    assert broken.attempts == 1
