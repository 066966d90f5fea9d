"""Into English, from what the transcriber heard."""

import pytest

from sessions_app.engines.base import EngineRejected, TranslationRequest
from sessions_app.engines.fallback import FallbackTranslator
from sessions_app.engines.translators.whisper import WhisperTranslator
from tests.fakes.engines import FakeTranslator

SPANISH = TranslationRequest("¿Dónde está mi pedido?", "es", "en", english="Where is my order?")


async def test_the_english_of_the_transcriber_is_the_translation() -> None:
    assert await WhisperTranslator().translate(SPANISH) == "Where is my order?"


def test_it_wants_that_english_for_all_languages_but_english() -> None:
    translator = WhisperTranslator()
    assert translator.wants_english("es-MX", "en")
    assert not translator.wants_english("en", "es")
    assert not translator.wants_english("es", "de")


@pytest.mark.parametrize("english", [None, "", "  "])
async def test_without_english_the_next_engine_of_a_chain_translates(english: str | None) -> None:
    request = TranslationRequest("hola a todos", "es", "en", english=english)
    with pytest.raises(EngineRejected):
        await WhisperTranslator().translate(request)
    chain = FallbackTranslator([WhisperTranslator(), FakeTranslator()])
    assert await chain.translate(request) == "[en] hola a todos"


async def test_english_that_is_the_spoken_words_is_refused() -> None:
    request = TranslationRequest(
        "Mon chiffre préféré est 3.601.", "fr", "en", english="Mon chiffre préféré 3.061."
    )
    with pytest.raises(EngineRejected):
        await WhisperTranslator().translate(request)


async def test_a_name_that_is_the_same_in_english_is_kept() -> None:
    request = TranslationRequest("Jan Kowalski.", "pl", "en", english="Jan Kowalski.")
    assert await WhisperTranslator().translate(request) == "Jan Kowalski."


async def test_a_term_of_the_glossary_that_it_lacks_is_left_to_the_next_engine() -> None:
    request = TranslationRequest(
        "mi factura nueva", "es", "en", {"factura": "invoice"}, english="my new bill"
    )
    assert await WhisperTranslator().translate(request) == "my new bill"
    chain = FallbackTranslator([WhisperTranslator(), FakeTranslator()])
    assert await chain.translate(request) == "[en] mi invoice nueva"
    alone = FallbackTranslator([WhisperTranslator(), FakeTranslator(known={("en", "es")})])
    assert await alone.translate(request) == "my new bill"
