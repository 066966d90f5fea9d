"""GET /v1/languages says what the configured engines can do."""

import pytest
from django.test import Client

from sessions_app import capabilities
from sessions_app.languages import NAMES, is_language_code

pytestmark = pytest.mark.django_db


def test_the_list_says_what_is_heard_and_spoken(api: Client, settings) -> None:
    settings.TRANSCRIBER_URL = "whisper://base"
    settings.SYNTHESIZER_URL = ""
    settings.TRANSLATOR_URL = ""

    languages = {each["id"]: each for each in api.get("/v1/languages").json()["data"]}

    assert languages["es"] == {
        "id": "es",
        "object": "language",
        "name": "Spanish",
        "transcription": True,
        "speech": False,
        "translates_to": [],
    }


def test_a_misconfigured_engine_counts_as_none(settings) -> None:
    settings.TRANSCRIBER_URL = "nonsense://"
    settings.SYNTHESIZER_URL = ""

    assert capabilities.languages() == []


@pytest.mark.parametrize("code", ["es", "es-MX", "es-419", "zh"])
def test_codes_of_the_standard_are_taken_with_or_without_region(code: str) -> None:
    assert is_language_code(code)


@pytest.mark.parametrize("code", ["ES", "xx", "spa", "es_MX", "es-mx", "es-", "", "es-MX-x", " es"])
def test_other_codes_are_not(code: str) -> None:
    assert not is_language_code(code)


def test_the_table_holds_the_standards_183_codes() -> None:
    assert len(NAMES) == 183
    assert all(len(code) == 2 for code in NAMES)
