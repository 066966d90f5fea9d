"""Which modes and languages a session may have, by the engines of the installation."""

import pytest
from django.test import Client

from sessions_app import capabilities
from sessions_app.capabilities import mode_require
from sessions_app.errors import FeatureNotAvailable, UnsupportedLanguagePair
from tests.fakes.engines import FakeSynthesizer, FakeTranslator

BOTH_WAYS = "bidirectional_translation"
ASSISTIVE = "assistive_translation"
PAIRS = {("en", "es"), ("es", "en"), ("en", "fr"), ("fr", "en"), ("de", "en")}


class Engines:
    """The engines that an installation has; their URLs differ each time, since they are cached."""

    made = 0

    def __init__(self, settings, monkeypatch) -> None:
        self._settings = settings
        self._monkeypatch = monkeypatch

    def use(self, pairs: set[tuple[str, str]] | None, spoken: set[str]) -> None:
        Engines.made += 1
        self._settings.TRANSLATOR_URL = f"fake://{self.made}"
        self._settings.SYNTHESIZER_URL = f"fake://{self.made}"
        translator = None if pairs is None else FakeTranslator(known=pairs)
        synthesizer = FakeSynthesizer(languages=frozenset(spoken))
        self._monkeypatch.setattr(
            capabilities, "_translator", lambda url: translator if url else None
        )
        self._monkeypatch.setattr(capabilities, "_synthesizer", lambda url: synthesizer)


@pytest.fixture
def engines(settings, monkeypatch) -> Engines:
    engines = Engines(settings, monkeypatch)
    engines.use(PAIRS, {"en", "es"})
    return engines


@pytest.mark.parametrize("mode", [BOTH_WAYS, ASSISTIVE])
@pytest.mark.parametrize(
    ("customer", "agent"),
    [("es", "en"), ("es-MX", "en-GB"), ("es", None), (None, "en"), (None, None), ("en", "en-US")],
)
def test_a_pair_that_is_translated_and_spoken_both_ways_is_accepted(
    engines: Engines, mode: str, customer: str | None, agent: str | None
) -> None:
    mode_require(mode, customer, agent)


@pytest.mark.parametrize("mode", [BOTH_WAYS, ASSISTIVE])
def test_without_a_translator_the_setting_and_the_package_are_named(
    engines: Engines, mode: str
) -> None:
    engines.use(None, {"en"})
    with pytest.raises(FeatureNotAvailable) as caught:
        mode_require(mode, "es", "en")
    assert "TRANSLATOR_URL" in caught.value.message
    assert "apt-get install apertium-en-es" in caught.value.message
    assert (caught.value.status, caught.value.param) == (403, "mode")


def test_without_a_voice_the_setting_is_named(engines: Engines) -> None:
    engines.use(PAIRS, set())
    with pytest.raises(FeatureNotAvailable, match="SYNTHESIZER_URL"):
        mode_require(ASSISTIVE, "es", "en")


def test_when_nothing_is_translated_both_ways_the_package_is_named(engines: Engines) -> None:
    engines.use({("es", "en"), ("de", "en")}, {"en", "es", "de"})
    with pytest.raises(FeatureNotAvailable, match="apertium-en-es"):
        mode_require(BOTH_WAYS, "es", "en")


@pytest.mark.parametrize("mode", [BOTH_WAYS, ASSISTIVE])
@pytest.mark.parametrize(("customer", "agent"), [("es", "fr"), ("es", "de"), (None, "de")])
def test_a_pair_that_is_not_translated_both_ways_is_refused_with_the_possible_ones(
    engines: Engines, mode: str, customer: str | None, agent: str
) -> None:
    engines.use(PAIRS, {"en", "es", "de", "fr"})
    with pytest.raises(UnsupportedLanguagePair) as caught:
        mode_require(mode, customer, agent)
    assert "en-es, en-fr, es-en, fr-en" in caught.value.message
    assert caught.value.status == 422


def test_a_language_without_a_voice_is_refused_where_it_would_be_spoken(engines: Engines) -> None:
    with pytest.raises(UnsupportedLanguagePair, match=r"speaks fr.*Spoken: en, es") as caught:
        mode_require(BOTH_WAYS, "en", "fr")
    assert caught.value.param == "target_language"
    with pytest.raises(UnsupportedLanguagePair) as caught:
        mode_require(ASSISTIVE, "fr", "en")
    assert caught.value.param == "source_language"


def test_the_agent_of_the_assistive_mode_reads_and_needs_no_voice(engines: Engines) -> None:
    mode_require(ASSISTIVE, "en", "fr")


def test_transcription_needs_neither(engines: Engines) -> None:
    engines.use(None, set())
    mode_require("transcription", "es", "fr")


@pytest.mark.parametrize(
    ("transcriber", "english"),
    [
        ("whisper://base", True),
        ("whisper:///srv/models/whisper-small", True),
        ("openai+https://api.example.com/v1,whisper://base", True),
        ("whisper://large-v3-turbo", False),
        ("whisper://base.en", False),
        ("openai+https://api.example.com/v1", False),
    ],
)
def test_by_default_whisper_translates_if_its_model_can(
    settings, transcriber: str, english: bool
) -> None:
    settings.TRANSLATOR_URL = ""
    settings.TRANSCRIBER_URL = transcriber
    assert ("whisper://" in capabilities.translator_url()) == english


@pytest.mark.parametrize("pairs", [{("en", "es")}, set()])
def test_by_default_apertium_translates_if_it_has_pairs(settings, monkeypatch, pairs) -> None:
    apertium = FakeTranslator()
    apertium.known = frozenset(pairs)
    monkeypatch.setattr(capabilities, "_translator", lambda url: apertium)
    capabilities._found_translators.cache_clear()
    settings.TRANSLATOR_URL = ""
    settings.TRANSCRIBER_URL = "whisper://base"
    expected = "whisper://,apertium://" if pairs else "whisper://"
    try:
        assert capabilities.translator_url() == expected
    finally:
        capabilities._found_translators.cache_clear()


@pytest.mark.django_db
def test_a_session_is_created_with_a_pair_that_is_translated(api: Client, engines: Engines) -> None:
    body = {"mode": BOTH_WAYS, "source_language": "es", "target_language": "en"}
    response = api.post("/v1/sessions", body, content_type="application/json")
    assert response.status_code == 201, response.content


@pytest.mark.django_db
def test_a_session_with_another_pair_is_refused(api: Client, engines: Engines) -> None:
    body = {"mode": BOTH_WAYS, "source_language": "es", "target_language": "ja"}
    response = api.post("/v1/sessions", body, content_type="application/json")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, "unsupported_language_pair")
    assert error["param"] == "target_language"
