"""What load balancers and Prometheus ask, and what they get."""

import json

import pytest
from django.test import Client

from kallglot_site import health
from kallglot_site.health import Remembered

pytestmark = pytest.mark.django_db


def fine() -> health.Check:
    return {"ok": True, "reason": ""}


@pytest.fixture
def all_fine(monkeypatch):
    monkeypatch.setattr(health, "CHECKS", dict.fromkeys(("database", "broker", "engine"), fine))
    return health.CHECKS


def test_alive_is_alive_for_any_host_name(client):
    answer = client.get("/healthz", headers={"host": "10.1.2.3"})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_ready_says_what_was_looked_at(client, all_fine):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.json()["checks"]) == {"database", "broker", "engine"}


def test_not_ready_names_the_reason(client, all_fine):
    all_fine["engine"] = lambda: {"ok": False, "reason": "the transcription engine is loading"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"]["engine"]["reason"] == "the transcription engine is loading"


def test_the_real_database_and_broker_are_asked():
    assert Remembered(health.database)()["ok"]
    assert Remembered(health.broker)()["ok"]


def test_a_broker_that_refuses_makes_it_unready(settings):
    settings.CELERY_BROKER_URL = "redis://:hunter2@127.0.0.1:1/0"
    answer = Remembered(health.broker)()
    assert not answer["ok"]
    assert "does not answer" in answer["reason"]
    assert "hunter2" not in json.dumps(answer)


def test_many_callers_cost_the_service_one_question():
    asked, now = [], [0.0]
    check = Remembered(lambda: asked.append(1), clock=lambda: now[0])
    for _ in range(5):
        check()
    assert len(asked) == 1
    now[0] += 2.1
    check()
    assert len(asked) == 2


def test_only_reading_is_allowed(client):
    answer = client.post("/readyz")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_numbers_are_for_this_machine(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"# TYPE process_cpu_seconds_total counter" in answer.content


@pytest.mark.parametrize(
    "elsewhere", [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}]
)
def test_numbers_are_not_for_others(elsewhere):
    assert Client(**elsewhere).get("/metrics").status_code == 403


def test_a_metrics_token_opens_them_to_its_bearer_only(settings):
    settings.METRICS_TOKEN = "correct-horse"
    from_elsewhere = Client(REMOTE_ADDR="10.0.0.7")
    assert from_elsewhere.get("/metrics").status_code == 403
    wrong = {"Authorization": "Bearer battery-staple"}
    assert from_elsewhere.get("/metrics", headers=wrong).status_code == 403
    right = {"Authorization": "Bearer correct-horse"}
    assert from_elsewhere.get("/metrics", headers=right).status_code == 200
