"""GET /v1/voices lists the voices that a session may name."""

import pytest
from django.test import Client

from sessions_app import capabilities
from sessions_app.models import Session
from tests.fakes.engines import FakeSynthesizer

pytestmark = pytest.mark.django_db


@pytest.fixture
def synthesizer(monkeypatch: pytest.MonkeyPatch) -> FakeSynthesizer:
    """Has two voices for English and one for Spanish."""
    engine = FakeSynthesizer(voices={"joe": "en-US", "carla": "es", "alba": "en-GB"})
    monkeypatch.setattr(capabilities, "_synthesizer", lambda url: engine)
    return engine


def test_the_list_is_ordered_by_language_and_preference(api: Client, synthesizer) -> None:
    response = api.get("/v1/voices")

    assert response.status_code == 200
    body = response.json()
    assert (body["object"], body["has_more"], body["url"]) == ("list", False, "/v1/voices")
    assert [voice["id"] for voice in body["data"]] == ["joe", "alba", "carla"]
    assert body["data"][0] == {
        "id": "joe",
        "object": "voice",
        "language": "en-US",
        "engine": "fake",
    }


@pytest.mark.parametrize(
    ("language", "ids"), [("es", ["carla"]), ("en-GB", ["joe", "alba"]), ("de", [])]
)
def test_the_list_may_be_of_one_language(
    api: Client, synthesizer, language: str, ids: list[str]
) -> None:
    voices = api.get(f"/v1/voices?language={language}").json()["data"]
    assert [voice["id"] for voice in voices] == ids


def test_a_language_that_is_none_is_refused(api: Client, synthesizer) -> None:
    response = api.get("/v1/voices?language=klingon")
    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_language_code", "language")


def test_without_a_synthesizer_the_list_is_empty(api: Client, settings) -> None:
    settings.SYNTHESIZER_URL = ""
    assert api.get("/v1/voices").json()["data"] == []


def create(api: Client, **voice: str | None):
    body = {"mode": "transcription", "translation": {"voice": voice}}
    return api.post("/v1/sessions", body, content_type="application/json")


@pytest.mark.parametrize("party", ["agent", "customer"])
def test_a_session_with_an_unknown_voice_is_refused(api: Client, synthesizer, party: str) -> None:
    response = create(api, **{"agent": "joe", "customer": "carla", party: "jo"})

    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_field_value", f"translation.voice.{party}")
    assert "'jo'" in error["message"]
    assert "/v1/voices" in error["message"]
    assert not Session.objects.exists()


def test_a_session_may_name_any_voice_that_is_listed(api: Client, synthesizer) -> None:
    response = create(api, agent="joe", customer="carla")
    assert response.status_code == 201
    assert response.json()["translation"]["voice"] == {"agent": "joe", "customer": "carla"}


def test_an_engine_that_cannot_list_its_voices_is_asked_for_any(api: Client, synthesizer) -> None:
    synthesizer.lists_voices = False
    assert create(api, agent="nova").status_code == 201


def test_without_a_synthesizer_no_voice_can_be_named(api: Client, settings) -> None:
    settings.SYNTHESIZER_URL = ""
    assert create(api, agent="joe").status_code == 422
    assert create(api, agent=None).status_code == 201
