import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import respx

from sessions_app.engines.base import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Transcriber,
    TranscriptionRequest,
)
from sessions_app.engines.registry import transcriber_from_url
from sessions_app.engines.urls import EngineContext

ADDRESS = "https://api.example.com/v1/audio/transcriptions"
REQUEST = TranscriptionRequest(np.zeros(8000, np.int16), 8000)


@pytest.fixture
def engine() -> Transcriber:
    url = "openai+https://:sk-secret@api.example.com/v1?model=whisper-1"
    engine = transcriber_from_url(url, EngineContext(Path("unused")))
    engine.attempts = 1
    return engine


def answer(**fields: Any) -> dict[str, Any]:
    segment = {"avg_logprob": -0.1, "no_speech_prob": 0.01}
    return {"text": " Hello there. ", "language": "english", "segments": [segment]} | fields


@respx.mock
async def test_an_utterance_is_sent_as_a_wav_with_the_key(engine: Transcriber) -> None:
    route = respx.post(ADDRESS).respond(json=answer())
    request = TranscriptionRequest(
        np.zeros(8000, np.int16), 8000, language="es-MX", vocabulary=("Kallglot", "Ana")
    )
    result = await engine.transcribe(request)
    sent = route.calls.last.request
    assert sent.headers["authorization"] == "Bearer sk-secret"
    assert b"RIFF" in sent.content
    assert b'name="language"\r\n\r\nes\r\n' in sent.content
    assert b"Kallglot, Ana" in sent.content
    assert (result.text, result.language, result.detected_language) == ("Hello there.", "es", None)


@respx.mock
async def test_the_language_that_the_server_detected_is_reported(engine: Transcriber) -> None:
    respx.post(ADDRESS).respond(json=answer(language="spanish"))
    result = await engine.transcribe(REQUEST)
    assert (result.language, result.detected_language) == ("es", "es")
    assert result.confidence == pytest.approx(0.905)


@respx.mock
async def test_an_utterance_is_written_in_an_allowed_language(engine: Transcriber) -> None:
    route = respx.post(ADDRESS)
    route.side_effect = [
        httpx.Response(200, json=answer(language="galician", text="Ola.")),
        httpx.Response(200, json=answer(language="spanish", text="Hola.")),
    ]
    result = await engine.transcribe(replace(REQUEST, languages=("es", "en")))
    assert b'name="language"\r\n\r\nes\r\n' in route.calls.last.request.content
    assert (result.text, result.language) == ("Hola.", "es")
    assert (result.detected_language, result.language_probability) == (None, 0.0)
    route.side_effect = [httpx.Response(200, json=answer(language="english"))]
    result = await engine.transcribe(replace(REQUEST, languages=("es", "en")))
    assert (result.language, route.call_count) == ("en", 3)


@respx.mock
async def test_an_answer_without_probabilities_is_accepted(engine: Transcriber) -> None:
    respx.post(ADDRESS).respond(json={"text": "Hello"})
    result = await engine.transcribe(REQUEST)
    assert (result.text, result.language) == ("Hello", "en")


@respx.mock
async def test_hallucinations_on_silence_are_dropped(engine: Transcriber) -> None:
    segment = {"avg_logprob": -0.9, "no_speech_prob": 0.8}
    respx.post(ADDRESS).respond(json=answer(text="Thanks for watching!", segments=[segment]))
    assert (await engine.transcribe(REQUEST)).text == ""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, EngineRejected), (401, EngineMisconfigured), (404, EngineMisconfigured),
        (413, EngineRejected), (429, EngineOverloaded), (500, EngineUnavailable),
        (503, EngineUnavailable), (302, EngineRejected),
    ],
)  # fmt: skip
@respx.mock
async def test_every_failure_has_its_error(
    engine: Transcriber, status: int, error: type[EngineError]
) -> None:
    respx.post(ADDRESS).respond(status, text="secret details")
    with pytest.raises(error) as caught:
        await engine.transcribe(REQUEST)
    assert "secret" not in str(caught.value)


@respx.mock
async def test_an_overload_carries_the_time_to_retry(engine: Transcriber) -> None:
    respx.post(ADDRESS).respond(429, headers={"retry-after": "7"})
    with pytest.raises(EngineOverloaded) as caught:
        await engine.transcribe(REQUEST)
    assert caught.value.retry_after == 7.0


@respx.mock
async def test_a_hanging_server_is_a_timeout(engine: Transcriber) -> None:
    respx.post(ADDRESS).mock(side_effect=httpx.ReadTimeout)
    with pytest.raises(EngineTimeout):
        await engine.transcribe(REQUEST)


@respx.mock
async def test_an_unreachable_server_is_unavailable(engine: Transcriber) -> None:
    respx.post(ADDRESS).mock(side_effect=httpx.ConnectError)
    with pytest.raises(EngineUnavailable):
        await engine.transcribe(REQUEST)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"text": null, "segments": 3}', b"{}"])
@respx.mock
async def test_an_answer_that_is_not_a_transcription_is_unavailable(
    engine: Transcriber, body: bytes
) -> None:
    respx.post(ADDRESS).respond(content=body)
    with pytest.raises(EngineUnavailable):
        await engine.transcribe(REQUEST)


@respx.mock
async def test_an_answer_that_is_too_long_is_refused(engine: Transcriber) -> None:
    respx.post(ADDRESS).respond(content=json.dumps(answer(text="a" * 5_000_000)).encode())
    with pytest.raises(EngineUnavailable, match="too long"):
        await engine.transcribe(REQUEST)


@respx.mock
async def test_the_backlog_is_the_audio_of_open_requests(engine: Transcriber) -> None:
    seen: list[float] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(engine.backlog_seconds)
        return httpx.Response(200, json=answer())

    respx.post(ADDRESS).mock(side_effect=look)
    await engine.transcribe(REQUEST)
    assert seen == [1.0]
    assert engine.idle


MODELS = "https://api.example.com/v1/models"


@respx.mock
@pytest.mark.parametrize("status", [200, 403, 404, 405, 429, 501])
async def test_a_server_that_answers_is_available(engine: Transcriber, status: int) -> None:
    route = respx.get(MODELS).respond(status)
    await engine.probe()
    assert route.calls.last.request.headers["authorization"] == "Bearer sk-secret"


@respx.mock
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, EngineMisconfigured), (500, EngineUnavailable)],
)
async def test_a_server_that_fails_or_refuses_the_key_is_not_available(
    engine: Transcriber, status: int, error: type[EngineError]
) -> None:
    respx.get(MODELS).respond(status)
    with pytest.raises(error):
        await engine.probe()


@respx.mock
async def test_a_server_that_cannot_be_reached_is_not_available(engine: Transcriber) -> None:
    respx.get(MODELS).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(EngineUnavailable, match=r"api\.example\.com") as raised:
        await engine.probe()
    assert "sk-secret" not in str(raised.value)


@respx.mock
async def test_a_chain_is_available_as_long_as_one_of_its_engines_is() -> None:
    urls = "openai+https://first.example/v1, openai+https://second.example/v1"
    chain = transcriber_from_url(urls, EngineContext(Path("unused")))
    respx.get("https://first.example/v1/models").respond(500)
    second = respx.get("https://second.example/v1/models").respond(200)
    await chain.probe()
    second.respond(500)
    with pytest.raises(EngineUnavailable):
        await chain.probe()
