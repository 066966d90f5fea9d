"""Analyses over REST."""

import pytest

from analysis_app.models import Analysis
from analysis_app.tasks import analyze_due
from sessions_app.models import Session
from tests.factories import SessionFactory
from webhooks_app.delivery import urls


@pytest.fixture
def ask(api, session):
    def post(body, **kwargs):
        return api.post(
            f"/v1/sessions/{session.id}/analysis", body, content_type="application/json", **kwargs
        )

    return post


def test_an_analysis_is_accepted_then_retrieved_whole(api, ask, session):
    accepted = ask({"analyses": ["summary", "quality"], "language": "en"})
    assert accepted.status_code == 202
    queued = accepted.json()
    assert queued["object"] == "analysis"
    assert queued["session_id"] == session.id
    assert queued["status"] == "queued"
    assert queued["results"] == {}
    assert queued["estimated_completion"] > queued["created_at"]

    analyze_due()
    done = api.get(f"/v1/analysis/{queued['id']}").json()
    assert done["status"] == "complete"
    assert done["engine"] == "local"
    assert done["error"] is None
    assert done["completed_at"].endswith("Z")
    assert set(done["results"]) == {"summary", "quality"}


def test_a_null_language_means_english(ask):
    answer = ask({"analyses": ["topics"], "language": None})
    assert answer.status_code == 202
    assert answer.json()["language"] == "en"


def test_analyses_of_a_session_are_listed_newest_first(api, ask, session):
    first, second = (ask({"analyses": [name]}).json()["id"] for name in ("quality", "topics"))
    page = api.get(f"/v1/sessions/{session.id}/analysis").json()
    assert [each["id"] for each in page["data"]] == [second, first]
    assert page["url"] == f"/v1/sessions/{session.id}/analysis"


def test_the_receivers_name_is_not_looked_up_for_an_unknown_session(api, monkeypatch):
    looked_up: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return []

    monkeypatch.setattr(urls, "resolve", resolve)
    answer = api.post(
        "/v1/sessions/sess_01AAAAAAAAAAAAAAAAAAAAAAAA/analysis",
        {"analyses": ["topics"], "webhook_url": "https://hooks.example.com/"},
        content_type="application/json",
    )
    assert answer.status_code == 404
    assert looked_up == []


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_field", "analyses"),
        ({"analyses": []}, "invalid_field_value", "analyses"),
        ({"analyses": ["mood"]}, "invalid_field_value", "analyses.0"),
        ({"analyses": ["topics", "topics"]}, "invalid_field_value", "analyses"),
        ({"analyses": "topics"}, "invalid_field_value", "analyses"),
        ({"analyses": ["topics"], "language": "klingon"}, "invalid_language_code", "language"),
        ({"analyses": ["topics"], "speed": 1}, "unknown_field", "speed"),
        ({"analyses": ["topics"], "webhook_url": "ftp://a.example"}, "invalid_url", "webhook_url"),
        (
            {"analyses": ["topics"], "webhook_url": "https://127.0.0.1/"},
            "invalid_url",
            "webhook_url",
        ),
        (
            {"analyses": ["summary"], "custom_prompts": {"summary": "Rhyme."}},
            "invalid_field_value",
            "custom_prompts",
        ),
        (
            {"analyses": ["summary"], "custom_prompts": {"mood": "x"}},
            "unknown_field",
            "custom_prompts.mood",
        ),
    ],
)
def test_an_invalid_request_is_refused_and_names_the_invalid_field(ask, body, code, param):
    response = ask(body)
    error = response.json()["error"]
    assert response.status_code == 422
    assert (error["code"], error["param"].split("[")[0]) == (code, param)
    assert not Analysis.objects.exists()


def test_analyzing_a_running_session_answers_a_conflict(api, cast):
    session = SessionFactory.create(organization=cast.organization)
    response = api.post(
        f"/v1/sessions/{session.id}/analysis", {"analyses": ["topics"]}, "application/json"
    )
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "session_not_ended"


def test_analyzing_a_session_without_speech_answers_a_conflict(ask):
    Session.objects.update(segment_count=0)
    response = ask({"analyses": ["topics"]})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "transcript_unavailable"


def test_a_retried_request_makes_one_analysis(ask):
    first = ask({"analyses": ["topics"]}, headers={"Idempotency-Key": "once"})
    second = ask({"analyses": ["topics"]}, headers={"Idempotency-Key": "once"})
    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert Analysis.objects.count() == 1


def test_erasing_a_session_erases_its_analyses(api, ask, session):
    identifier = ask({"analyses": ["topics"]}).json()["id"]
    assert api.delete(f"/v1/sessions/{session.id}").status_code == 204
    assert api.get(f"/v1/analysis/{identifier}").status_code == 404
