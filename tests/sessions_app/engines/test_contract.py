"""Tests that every registered engine must pass.

A new engine file is found automatically; add a line for it to ``URLS``.
"""

import asyncio
from pathlib import Path
from types import ModuleType

import httpx
import numpy as np
import pytest
import respx

from sessions_app.engines import registry, responders, synthesizers, transcribers, translators
from sessions_app.engines.base import (
    Engine,
    EngineError,
    EngineMisconfigured,
    Synthesizer,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.engines.urls import EngineContext

URLS = {
    "transcriber": {
        "whisper": "whisper://base?threads=1",
        "openai": "openai+http://engine.test/v1?model=tiny",
    },
    "synthesizer": {
        "piper": "piper://",
        "espeak": "espeak://",
        "nanotts": "nanotts://",
        "openai": "openai+http://engine.test/v1?model=tiny&languages=en",
    },
    "translator": {
        "apertium": "apertium://",
        "ctranslate2": "ctranslate2:///no/such/directory",
        "openai": "openai+http://engine.test/v1?model=tiny",
        "whisper": "whisper://",
    },
    "responder": {
        "openai": "openai+http://engine.test/v1?model=tiny",
        "knowledge": "knowledge://",
    },
}
PACKAGES: dict[str, ModuleType] = {
    "transcriber": transcribers,
    "synthesizer": synthesizers,
    "translator": translators,
    "responder": responders,
}
FACTORIES = {
    "transcriber": registry.transcriber_from_url,
    "synthesizer": registry.synthesizer_from_url,
    "translator": registry.translator_from_url,
    "responder": registry.responder_from_url,
}
ALL = [(kind, scheme) for kind, package in PACKAGES.items() for scheme in registry.schemes(package)]


def make(kind: str, scheme: str, data_dir: Path) -> Engine:
    assert scheme in URLS[kind], f"add a line for the {kind} {scheme}:// to URLS"
    engine: Engine = FACTORIES[kind](URLS[kind][scheme], EngineContext(data_dir))
    return engine


@pytest.mark.parametrize(("kind", "scheme"), ALL)
def test_making_an_engine_loads_nothing(kind: str, scheme: str, tmp_path: Path) -> None:
    engine = make(kind, scheme, tmp_path)
    assert engine.kind == kind
    assert engine.name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "scheme"), ALL)
def test_an_unknown_option_is_refused(kind: str, scheme: str, tmp_path: Path) -> None:
    url = URLS[kind][scheme]
    url += ("&" if "?" in url else "?") + "no_such_option=1"
    with pytest.raises(EngineMisconfigured, match="no_such_option"):
        FACTORIES[kind](url, EngineContext(tmp_path))


@pytest.mark.parametrize(("kind", "scheme"), ALL)
async def test_an_engine_can_be_closed_unused_and_twice(
    kind: str, scheme: str, tmp_path: Path
) -> None:
    engine = make(kind, scheme, tmp_path)
    await engine.close()
    await engine.close()


@pytest.mark.engine
@pytest.mark.parametrize("scheme", registry.schemes(transcribers))
@respx.mock(assert_all_called=False)
async def test_a_transcriber_gives_no_text_for_silence(
    respx_mock: respx.MockRouter, scheme: str, models: Path
) -> None:
    silent = {"text": "Thank you.", "segments": [{"avg_logprob": -1.2, "no_speech_prob": 0.9}]}
    respx_mock.route(host="engine.test").mock(return_value=httpx.Response(200, json=silent))
    engine = make("transcriber", scheme, models)
    assert isinstance(engine, Transcriber)
    await engine.start()
    try:
        for samples in (0, 1, 80, 16_000):
            audio = np.zeros(samples, np.int16)
            result = await engine.transcribe(TranscriptionRequest(audio, 8000))
            assert isinstance(result, Transcription)
            assert result.text == ""
            assert 0.0 <= result.confidence <= 1.0
        assert engine.idle
        assert engine.backlog_seconds == 0.0
        assert engine.capacity > 0
        assert "en" in engine.languages
    finally:
        await engine.close()


@pytest.mark.engine
@pytest.mark.parametrize("scheme", registry.schemes(transcribers))
@respx.mock(assert_all_called=False)
async def test_a_transcriber_is_idle_again_after_overlapping_requests(
    respx_mock: respx.MockRouter, scheme: str, models: Path
) -> None:
    both_arrived = asyncio.Barrier(2)

    async def answer(request: httpx.Request) -> httpx.Response:
        await both_arrived.wait()
        return httpx.Response(200, json={"text": ""})

    respx_mock.route(host="engine.test").mock(side_effect=answer)
    engine = make("transcriber", scheme, models)
    assert isinstance(engine, Transcriber)
    try:
        # As floats, 0.1 + 0.2 - 0.1 - 0.2 is not 0.
        requests = [TranscriptionRequest(np.zeros(n, np.int16), 8000) for n in (800, 1600)]
        await asyncio.gather(*(engine.transcribe(request) for request in requests))
        assert engine.idle
        assert engine.backlog_seconds == 0.0
    finally:
        await engine.close()


@pytest.mark.engine
@pytest.mark.parametrize("scheme", registry.schemes(synthesizers))
@respx.mock(assert_all_called=False)
async def test_a_synthesizer_yields_audio_sentence_by_sentence(
    respx_mock: respx.MockRouter, scheme: str, tmp_path: Path
) -> None:
    half_a_second = np.full(12_000, 5000, "<i2").tobytes()
    respx_mock.route(host="engine.test").mock(
        return_value=httpx.Response(200, content=half_a_second)
    )
    engine = make("synthesizer", scheme, tmp_path)
    assert isinstance(engine, Synthesizer)
    await engine.start()
    try:
        chunks = [chunk async for chunk in engine.stream("Hello there. How are you?", "en-US")]
        assert len(chunks) == 2
        for chunk in chunks:
            assert chunk.samples.dtype == np.int16
            assert np.abs(chunk.samples).max() > 1000
            assert 0.2 < chunk.duration < 5.0
        assert len({chunk.sample_rate for chunk in chunks}) == 1
        assert (await engine.synthesize(" \x00 [[ ]] ... ", "en")).duration == 0.0
        assert (await engine.synthesize("hello", "en", "no such voice")).duration > 0.1
        with pytest.raises(EngineError) as caught:
            await engine.synthesize("hello", "xx")
        assert not caught.value.retryable
    finally:
        await engine.close()
