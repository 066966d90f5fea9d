"""GET /v1/languages lists what the configured engines can do."""

import pytest
from django.test import Client

from sessions_app import capabilities
from sessions_app.engines.pivot import PivotTranslator
from sessions_app.languages import NAMES, is_language_code
from tests.fakes.engines import FakeTranslator

pytestmark = pytest.mark.django_db


def test_the_list_tells_what_is_transcribed_and_spoken(api: Client, settings) -> None:
    settings.TRANSCRIBER_URL = "whisper://base"
    settings.SYNTHESIZER_URL = ""
    settings.TRANSLATOR_URL = "whisper://"

    languages = {each["id"]: each for each in api.get("/v1/languages").json()["data"]}

    assert languages["es"] == {
        "id": "es",
        "object": "language",
        "name": "Spanish",
        "transcription": True,
        "speech": False,
        "translates_to": ["en"],
        "via": {},
    }


def test_the_list_names_the_targets_of_a_translator(api: Client, settings, monkeypatch) -> None:
    settings.TRANSCRIBER_URL = "whisper://base"
    settings.SYNTHESIZER_URL = ""
    settings.TRANSLATOR_URL = "fake://pairs"
    translator = FakeTranslator(known={("es", "en"), ("es", "de"), ("en", "es")})
    monkeypatch.setattr(capabilities, "translator_from_url", lambda url, context: translator)

    response = api.get("/v1/languages")

    assert response.status_code == 200
    languages = {each["id"]: each for each in response.json()["data"]}
    assert languages["es"]["translates_to"] == ["de", "en"]
    assert languages["en"]["translates_to"] == ["es"]
    assert languages["de"]["translates_to"] == []


def test_the_list_names_the_third_language_of_a_translation(
    api: Client, settings, monkeypatch
) -> None:
    settings.TRANSCRIBER_URL = "whisper://base"
    settings.TRANSLATOR_URL = "fake://third"
    translator = PivotTranslator(FakeTranslator(known={("de", "en"), ("en", "es")}))
    monkeypatch.setattr(capabilities, "translator_from_url", lambda url, context: translator)

    languages = {each["id"]: each for each in api.get("/v1/languages").json()["data"]}

    assert languages["de"]["translates_to"] == ["en", "es"]
    assert languages["de"]["via"] == {"es": "en"}
    assert languages["en"]["via"] == {}


def test_a_misconfigured_engine_counts_as_none(settings) -> None:
    settings.TRANSCRIBER_URL = "nonsense://"
    settings.SYNTHESIZER_URL = ""
    settings.TRANSLATOR_URL = "nonsense://"

    assert capabilities.languages() == []


@pytest.mark.parametrize("code", ["es", "es-MX", "es-419", "zh"])
def test_a_standard_code_is_accepted_with_or_without_a_region(code: str) -> None:
    assert is_language_code(code)


@pytest.mark.parametrize("code", ["ES", "xx", "spa", "es_MX", "es-mx", "es-", "", "es-MX-x", " es"])
def test_other_codes_are_refused(code: str) -> None:
    assert not is_language_code(code)


def test_the_table_holds_the_183_codes_of_the_standard() -> None:
    assert len(NAMES) == 183
    assert all(len(code) == 2 for code in NAMES)
