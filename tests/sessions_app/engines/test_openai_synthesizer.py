import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import respx

from sessions_app.engines.base import EngineOverloaded, EngineRejected, Synthesizer
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.urls import EngineContext

ADDRESS = "https://api.example.com/v1/audio/speech"


@pytest.fixture
def engine() -> Synthesizer:
    url = "openai+https://:sk-secret@api.example.com/v1?model=tts-1&languages=en+es"
    engine = synthesizer_from_url(url, EngineContext(Path("unused")))
    engine.attempts = 1
    return engine


@respx.mock
async def test_each_sentence_is_requested_and_yielded_in_order(engine: Synthesizer) -> None:
    route = respx.post(ADDRESS)
    route.side_effect = [
        httpx.Response(200, content=np.full(2400, level, "<i2").tobytes()) for level in (100, 200)
    ]
    audio = await engine.synthesize("Hello there. How are you?", "en", "nova")
    assert (audio.sample_rate, len(audio.samples)) == (24_000, 4800)
    assert (audio.samples[0], audio.samples[-1]) == (100, 200)
    asked = [json.loads(call.request.content) for call in route.calls]
    assert [request["input"] for request in asked] == ["Hello there.", "How are you?"]
    assert {request["voice"] for request in asked} == {"nova"}


@respx.mock
async def test_a_sample_that_is_split_between_packets_is_joined(engine: Synthesizer) -> None:
    sound = np.arange(12_000, dtype="<i2").tobytes()

    async def packets() -> AsyncIterator[bytes]:
        for start in range(0, len(sound), 7001):
            yield sound[start : start + 7001]

    respx.post(ADDRESS).mock(return_value=httpx.Response(200, content=packets()))
    chunks = [chunk.samples async for chunk in engine.stream("Hello", "en")]
    assert len(chunks) > 1
    assert np.concatenate(chunks).tolist() == list(range(12_000))


@respx.mock
async def test_failures_are_typed(engine: Synthesizer) -> None:
    respx.post(ADDRESS).respond(429, headers={"retry-after": "3"})
    with pytest.raises(EngineOverloaded):
        await engine.synthesize("Hello", "en")
    respx.post(ADDRESS).respond(400)
    with pytest.raises(EngineRejected):
        await engine.synthesize("Hello", "en")


def test_the_languages_can_be_given_in_the_url(engine: Synthesizer) -> None:
    assert engine.languages == {"en", "es"}
