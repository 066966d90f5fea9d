"""Sessions over REST, tested as a client uses them."""

import pytest
from django.test import Client

from kallglot_site.accounts.services import api_key_create
from sessions_app.models import Session
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db


def test_a_session_is_created_with_a_stream_and_an_event(cast: Cast, api: Client) -> None:
    response = api.post(
        "/v1/sessions",
        {"mode": "transcription", "metadata": {"order": "42"}},
        content_type="application/json",
    )

    assert response.status_code == 201, response.content
    body = response.json()
    assert body["object"] == "session"
    assert body["environment"] == "live"
    assert body["status"] == "created"
    assert body["metadata"] == {"order": "42"}
    assert body["stream"]["url"] == f"ws://testserver/v1/sessions/{body['id']}/connect"
    assert body["stream"]["token"].startswith("kst_live_")
    assert body["stream"]["expires_at"].endswith("Z")
    assert response["Cache-Control"] == "no-store"
    event = Event.objects.get(session_id=body["id"])
    assert event.type == "session.created"
    assert "stream" not in event.data


def test_the_languages_that_detection_may_choose_among_are_kept(cast: Cast, api: Client) -> None:
    for given in (["es-MX", "en"], []):
        body = api.post(
            "/v1/sessions",
            {"mode": "transcription", "transcription": {"languages": given}},
            content_type="application/json",
        ).json()
        assert body["transcription"]["languages"] == given


def test_a_key_that_may_only_read_gets_a_null_token(cast: Cast, client: Client) -> None:
    session = SessionFactory.create(organization=cast.organization)
    _, secret = api_key_create(tenant=cast.tenant, name="reader", scopes=["sessions:read"])

    body = client.get(
        f"/v1/sessions/{session.id}", headers={"Authorization": f"Bearer {secret}"}
    ).json()

    assert body["stream"]["url"]
    assert body["stream"]["token"] is None


def test_ending_a_session_twice_returns_the_ended_session(cast: Cast, api: Client) -> None:
    session = SessionFactory.create(organization=cast.organization)

    first = api.post(
        f"/v1/sessions/{session.id}/end", {"reason": "agent_hangup"}, "application/json"
    )
    second = api.post(f"/v1/sessions/{session.id}/end", "", "application/json")

    assert first.json()["status"] == "ended"
    assert first.json()["end_reason"] == "agent_hangup"
    assert "stream" not in first.json()
    assert second.status_code == 200
    assert second.json() == first.json()
    assert Event.objects.filter(session_id=session.id, type="session.ended").count() == 1


def test_lists_filter_by_status_and_mode(cast: Cast, api: Client) -> None:
    ended = SessionFactory.create(organization=cast.organization, status="ended")
    SessionFactory.create(organization=cast.organization)

    body = api.get("/v1/sessions?status=ended&mode=transcription").json()

    assert body["object"] == "list"
    assert body["url"] == "/v1/sessions"
    assert body["has_more"] is False
    assert [each["id"] for each in body["data"]] == [ended.id]
    assert "stream" not in body["data"][0]


@pytest.mark.parametrize(
    ("created_after", "created_before", "found"),
    [
        ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", 1),
        ("2099-01-01T00:00:00Z", None, 0),
        (None, "2020-01-01T00:00:00+02:00", 0),
    ],
)
def test_lists_filter_by_time(cast, api, created_after, created_before, found) -> None:
    SessionFactory.create(organization=cast.organization)
    query = {"created_after": created_after, "created_before": created_before}

    response = api.get("/v1/sessions", {k: v for k, v in query.items() if v})

    assert len(response.json()["data"]) == found


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 422, "missing_required_field", "mode"),
        ({"mode": "karaoke"}, 422, "invalid_mode", "mode"),
        ({"mode": 3}, 422, "invalid_mode", "mode"),
        ({"mode": "transcription", "mod": 1}, 422, "unknown_field", "mod"),
        (
            {"mode": "transcription", "source_language": "xx"},
            422,
            "invalid_language_code",
            "source_language",
        ),
        (
            {"mode": "transcription", "source_language": "es-mexico"},
            422,
            "invalid_language_code",
            "source_language",
        ),
        (
            {"mode": "transcription", "source_language": 5},
            422,
            "invalid_language_code",
            "source_language",
        ),
        (
            {"mode": "transcription", "recording": {"enabled": "yes"}},
            422,
            "invalid_field_value",
            "recording.enabled",
        ),
        ({"mode": "transcription", "recording": []}, 422, "invalid_field_value", "recording"),
        (
            {"mode": "transcription", "recording": {"chanels": "dual"}},
            422,
            "unknown_field",
            "recording.chanels",
        ),
        (
            {"mode": "transcription", "provider": {"phone_number": "555"}},
            422,
            "invalid_field_value",
            "provider.phone_number",
        ),
        (
            {"mode": "transcription", "transcription": {"languages": ["en", "xx"]}},
            422,
            "invalid_language_code",
            "transcription.languages.1",
        ),
        (
            {"mode": "transcription", "transcription": {"languages": [None]}},
            422,
            "invalid_field_value",
            "transcription.languages.0",
        ),
        (
            {"mode": "transcription", "transcription": {"languages": ["en"] * 9}},
            422,
            "invalid_field_value",
            "transcription.languages",
        ),
        (  # Irish, which the transcriber does not hear
            {"mode": "transcription", "transcription": {"languages": ["en", "ga-IE"]}},
            422,
            "invalid_field_value",
            "transcription.languages",
        ),
        ({"mode": "transcription", "metadata": {"a": 1}}, 422, "invalid_field_value", "metadata"),
        (
            {"mode": "transcription", "metadata": {"a" * 41: "x"}},
            422,
            "invalid_field_value",
            "metadata",
        ),
        (
            {"mode": "transcription", "translation": {"barge_in": 1}},
            422,
            "invalid_field_value",
            "translation.barge_in",
        ),
        (
            {"mode": "transcription", "translation": {"original_volume": 1.01}},
            422,
            "invalid_field_value",
            "translation.original_volume",
        ),
        (
            {"mode": "transcription", "translation": {"original_volume": True}},
            422,
            "invalid_field_value",
            "translation.original_volume",
        ),
        (
            {"mode": "transcription", "translation": {"original_volume": 10**30}},
            422,
            "invalid_field_value",
            "translation.original_volume",
        ),
        (
            {"mode": "transcription", "translation": {"voice": {"agent": ""}}},
            422,
            "invalid_field_value",
            "translation.voice.agent",
        ),
        (
            {"mode": "transcription", "translation": {"voice": {"caller": "joe"}}},
            422,
            "unknown_field",
            "translation.voice.caller",
        ),
        (
            {"mode": "transcription", "translation": {"glossary": ["refund"]}},
            422,
            "invalid_field_value",
            "translation.glossary",
        ),
        (
            {"mode": "transcription", "translation": {"glossary": {"refund": 1}}},
            422,
            "invalid_field_value",
            "translation.glossary",
        ),
        (
            {"mode": "transcription", "translation": {"glossary": {"a" * 101: "b"}}},
            422,
            "invalid_field_value",
            "translation.glossary",
        ),
        (
            {"mode": "transcription", "translation": {"glossary": {" ": "b"}}},
            422,
            "invalid_field_value",
            "translation.glossary",
        ),
        (
            {
                "mode": "transcription",
                "translation": {"glossary": {str(term): "b" for term in range(501)}},
            },
            422,
            "invalid_field_value",
            "translation.glossary",
        ),
        (
            {"mode": "transcription", "translation": {"subtitle": False}},
            422,
            "unknown_field",
            "translation.subtitle",
        ),
        ([], 422, "invalid_field_value", None),
        ({"mode": "ai_agent"}, 403, "feature_not_available", "mode"),
    ],
)
def test_an_invalid_create_names_the_error_and_the_field(
    api, cast, body, status, code, param
) -> None:
    response = api.post("/v1/sessions", body, content_type="application/json")

    assert response.status_code == status, response.content
    error = response.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["request_id"] == response["X-Request-ID"]
    assert not Session.objects.exists()


def test_all_fields_of_create_are_returned(cast: Cast, api: Client) -> None:
    sent = {
        "mode": "transcription",
        "source_language": "es-MX",
        "target_language": None,
        "recording": {"enabled": True, "channels": "dual"},
        "provider": {"type": "twilio", "phone_number": "+15551234567", "call_sid": "CA1"},
        "transcription": {"partials": False, "vocabulary": ["Kallglot"], "languages": ["es"]},
        "translation": {
            "barge_in": False,
            "original_volume": 0.25,
            "voice": {"agent": "espeak-es", "customer": None},
            "glossary": {str(term): "b" * 100 for term in range(500)},
            "subtitles": False,
        },
        "metadata": {"ü": "ß"},
    }

    body = api.post("/v1/sessions", sent, content_type="application/json").json()

    provider = body["provider"]
    assert provider.pop("status") == "pending"
    assert {name: body[name] for name in sent} == sent


def test_settings_of_the_translation_have_defaults(cast: Cast, api: Client) -> None:
    sent = {"mode": "transcription", "translation": {"original_volume": 1, "voice": {}}}

    body = api.post("/v1/sessions", sent, content_type="application/json").json()

    assert body["translation"] == {
        "barge_in": True,
        "original_volume": 1.0,
        "voice": {"agent": None, "customer": None},
        "glossary": {},
        "subtitles": True,
    }
    assert Event.objects.get(session_id=body["id"]).data["translation"] == body["translation"]


@pytest.fixture
def translated(cast: Cast) -> Session:
    """A session of two segments, the first of them translated and interrupted."""
    session = SessionFactory.create(organization=cast.organization, status="ended")
    SegmentFactory.create(
        session=session,
        sequence=1,
        text="Hello, <you>.",
        translation="Hola,\n\n<usted>.",
        interrupted=True,
    )
    SegmentFactory.create(session=session, sequence=2, speaker="agent", text="Yes.", source="ai")
    return session


def test_a_transcript_has_translations_and_says_who_spoke(api: Client, translated: Session) -> None:
    body = api.get(f"/v1/sessions/{translated.id}/transcript").json()

    fields = ("text", "translation", "source", "interrupted")
    assert [tuple(each[name] for name in fields) for each in body["segments"]] == [
        ("Hello, <you>.", "Hola,\n\n<usted>.", "human", True),
        ("Yes.", None, "ai", False),
    ]


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("text", "Customer: Hello, <you>.\n    Hola, <usted>.\nAgent: Yes.\n"),
        ("srt", "Customer: Hello, <you>.\nHola, <usted>.\n\n2\n"),
        ("vtt", "<v Customer>Hello, &lt;you&gt;.\nHola, &lt;usted&gt;.\n\n"),
    ],
)
def test_texts_and_subtitles_have_translations_unless_refused(
    api: Client, translated: Session, format: str, line: str
) -> None:
    url = f"/v1/sessions/{translated.id}/transcript?format={format}"

    assert line in api.get(url).content.decode()
    without = api.get(f"{url}&include_translations=false").content.decode()
    assert "Hello" in without
    assert "Hola" not in without


def test_the_plan_limits_concurrent_sessions(cast: Cast, api: Client) -> None:
    cast.organization.concurrent_sessions = 1
    cast.organization.save()
    SessionFactory.create(organization=cast.organization, status="ended")
    SessionFactory.create(organization=cast.organization, environment="test")

    first = api.post("/v1/sessions", {"mode": "transcription"}, "application/json")
    second = api.post("/v1/sessions", {"mode": "transcription"}, "application/json")

    assert first.status_code == 201
    assert second.status_code == 429
    assert second.json()["error"]["code"] == "concurrent_sessions_exceeded"
    assert int(second["Retry-After"]) > 0


def test_only_an_ended_session_can_be_erased(cast: Cast, api: Client) -> None:
    session = SessionFactory.create(organization=cast.organization)
    SegmentFactory.create(session=session)

    refused = api.delete(f"/v1/sessions/{session.id}")
    api.post(f"/v1/sessions/{session.id}/end", "", "application/json")
    erased = api.delete(f"/v1/sessions/{session.id}")

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "session_not_ended"
    assert erased.status_code == 204
    assert erased.content == b""
    assert api.get(f"/v1/sessions/{session.id}").status_code == 404
    assert all(event.data.get("erased") for event in Event.objects.filter(session_id=session.id))
