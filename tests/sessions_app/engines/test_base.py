import asyncio
import contextlib
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from prometheus_client import REGISTRY

from sessions_app.engines.base import (
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    SpeechAudio,
    TranscriptionRequest,
    TranslationRequest,
)
from tests.fakes.engines import FakeSynthesizer, FakeTranscriber, FakeTranslator

REQUEST = TranscriptionRequest(np.zeros(8000, np.int16), 8000)


class Persistent(FakeTranscriber):
    attempts = 3


async def test_a_request_returns_the_answer_of_the_engine() -> None:
    assert (await FakeTranscriber("hello").transcribe(REQUEST)).text == "hello"


@pytest.mark.parametrize("text", ["Hel\0lo.", "Hello.\0"])
async def test_nul_characters_are_removed_from_answers(text: str) -> None:
    assert (await FakeTranscriber(text).transcribe(REQUEST)).text == "Hello."


async def test_a_lone_surrogate_in_an_answer_is_replaced() -> None:
    # What json.loads makes of "\\ud83d" alone.
    assert (await FakeTranscriber("Hello \ud83d.").transcribe(REQUEST)).text == "Hello ?."


async def test_an_engine_that_hangs_is_a_timeout() -> None:
    engine = FakeTranscriber("hello")
    engine.hold()
    with pytest.raises(EngineTimeout):
        await engine.transcribe(REQUEST, timeout=0)


async def test_a_temporary_failure_is_retried() -> None:
    engine = Persistent(EngineUnavailable("gone"), EngineOverloaded("busy", 0.0), "hello")
    assert (await engine.transcribe(REQUEST)).text == "hello"


async def test_retries_are_bounded() -> None:
    engine = Persistent(default=EngineUnavailable("gone"))
    with pytest.raises(EngineUnavailable):
        await engine.transcribe(REQUEST)
    assert len(engine.requests) == 3


async def test_a_full_engine_is_not_reported_as_one_that_does_not_answer() -> None:
    engine = Persistent(EngineOverloaded("busy", retry_after=30.0), "hello")
    with pytest.raises(EngineOverloaded) as caught:
        await engine.transcribe(REQUEST, timeout=0.05)
    assert caught.value.retry_after == 30.0


async def test_a_rejection_is_not_retried() -> None:
    engine = Persistent(EngineRejected("too long"), "hello")
    with pytest.raises(EngineRejected):
        await engine.transcribe(REQUEST)
    assert len(engine.requests) == 1


async def test_cancelling_a_call_cancels_the_request() -> None:
    engine = FakeTranscriber("hello")
    engine.hold()
    call = asyncio.create_task(engine.transcribe(REQUEST))
    while not engine.requests:  # noqa: ASYNC110 - a turn of the loop, not a wait
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine.cancelled == [REQUEST]
    assert engine.idle


async def test_calls_are_counted_by_outcome() -> None:
    def count() -> float:
        labels = {"kind": "transcriber", "engine": "fake", "outcome": "EngineRejected"}
        return REGISTRY.get_sample_value("kallglot_engine_call_seconds_count", labels) or 0.0

    before = count()
    with pytest.raises(EngineRejected):
        await FakeTranscriber(EngineRejected("no")).transcribe(REQUEST)
    assert count() == before + 1


async def test_speech_is_streamed_or_returned_at_once() -> None:
    chunks = [chunk async for chunk in FakeSynthesizer().stream("one two three", "en")]
    assert [len(chunk.samples) for chunk in chunks] == [400, 400, 400]
    assert (await FakeSynthesizer().synthesize("one two three", "en")).duration == 0.15


async def test_an_interrupted_stream_is_closed_at_once() -> None:
    class Closing(FakeSynthesizer):
        closed = False

        async def _synthesize(
            self, text: str, language: str, voice: str | None
        ) -> AsyncGenerator[SpeechAudio, None]:
            try:
                async for chunk in super()._synthesize(text, language, voice):
                    yield chunk
            finally:
                self.closed = True

    engine = Closing()
    async with contextlib.aclosing(engine.stream("one two three", "en")) as chunks:
        await anext(chunks)
        assert not engine.closed
    assert engine.closed


async def test_an_empty_text_gives_no_audio() -> None:
    assert len((await FakeSynthesizer().synthesize("", "en")).samples) == 0


async def test_a_translator_knows_its_pairs() -> None:
    translator = FakeTranslator(known={("de", "en")})
    assert translator.supports("de", "en")
    assert not translator.supports("en", "de")


async def test_a_translation_into_the_same_language_is_the_text() -> None:
    translator = FakeTranslator()
    request = TranslationRequest("Hello.", "en-GB", "en-US")
    assert await translator.translate(request) == "Hello."
    assert translator.requests == []


async def test_a_translator_gets_languages_without_regions_and_storable_text() -> None:
    translator = FakeTranslator()
    await translator.translate(TranslationRequest("a\0b\ud800", "es-MX", "EN"))
    [request] = translator.requests
    assert (request.source, request.target, request.text) == ("es", "en", "ab?")


async def test_a_translator_is_asked_again_after_a_failure_that_may_pass() -> None:
    translator = FakeTranslator(EngineUnavailable("gone"))
    translator.attempts = 2
    translator.backoff = 0.0
    assert await translator.translate(TranslationRequest("hola", "es", "en")) == "[en] hola"
