"""Pairs that no engine has are translated over a third language."""

import pytest

from sessions_app.engines.base import EngineRejected, EngineUnavailable, TranslationRequest
from sessions_app.engines.pivot import PivotTranslator
from tests.fakes.engines import FakeTranslator

HUB = {("de", "en"), ("en", "es"), ("es", "en"), ("de", "fr"), ("fr", "es")}


def pivot(*errors: Exception, english: set[tuple[str, str]] | None = None) -> PivotTranslator:
    return PivotTranslator(FakeTranslator(*errors, known=HUB, english=english))


async def test_a_pair_that_exists_is_translated_directly() -> None:
    translator = pivot()
    assert translator.via("de", "en") is None
    assert await translator.translate(TranslationRequest("hallo", "de", "en")) == "[en] hallo"


async def test_another_pair_is_translated_twice_preferably_over_english() -> None:
    translator = pivot()
    assert translator.supports("de-AT", "es")
    assert translator.via("de-AT", "es") == "en"
    answer = await translator.translate(TranslationRequest("hallo", "de-AT", "es"))
    assert answer == "[es] [en] hallo"


async def test_the_next_third_language_is_tried_when_one_fails() -> None:
    answer = await pivot(EngineUnavailable("down")).translate(
        TranslationRequest("hallo", "de", "es")
    )
    assert answer == "[es] [fr] hallo"


async def test_a_direct_pair_that_is_refused_goes_over_a_third_language() -> None:
    direct = FakeTranslator(EngineRejected("no English"), known={*HUB, ("fr", "en")})
    answer = await PivotTranslator(direct).translate(TranslationRequest("bonjour", "fr", "en"))
    assert answer == "[en] [es] bonjour"


async def test_a_pair_that_cannot_be_made_is_refused() -> None:
    translator = pivot()
    assert not translator.supports("es", "de")
    with pytest.raises(EngineRejected):
        await translator.translate(TranslationRequest("hola", "es", "de"))


def test_pairs_are_those_that_exist_and_those_that_two_make() -> None:
    added = {("de", "es"), ("fr", "en")}
    assert pivot().pairs() == HUB | added


async def test_english_of_the_transcriber_serves_the_first_half() -> None:
    translator = pivot(english={("de", "en")})
    assert translator.wants_english("de", "es")
    assert not translator.wants_english("es", "en")
    direct = translator._direct
    assert isinstance(direct, FakeTranslator)
    request = TranslationRequest("hallo", "de", "es", english="hello")
    await translator.translate(request)
    assert [asked.english for asked in direct.requests] == ["hello", None]


async def test_terms_of_the_glossary_survive_both_halves() -> None:
    request = TranslationRequest("die Rechnung 4711", "de", "es", {"Rechnung": "factura"})
    assert await pivot().translate(request) == "[es] [en] die factura 4711"
