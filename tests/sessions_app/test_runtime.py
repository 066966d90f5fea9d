"""The engines of a process: transcription works whatever the others do."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from sessions_app import runtime
from sessions_app.engines.base import EngineMisconfigured, EngineUnavailable
from tests.fakes.engines import FakeSynthesizer, FakeTranscriber, FakeTranslator


class SlowTranslator(FakeTranslator):
    """Starts at the given attempt."""

    def __init__(self, works_at: float, error: Exception) -> None:
        super().__init__()
        self._attempts = itertools.count(1)
        self._works_at = works_at
        self._error = error
        self.started = asyncio.Event()
        self.tried = asyncio.Event()

    async def start(self) -> None:
        attempt = next(self._attempts)
        self.tried.set()
        if attempt < self._works_at:
            raise self._error
        self.started.set()


@pytest.fixture(autouse=True)
async def no_runtime(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(runtime, "_runtime", None)
    yield
    await runtime.drain()


async def test_the_gateway_has_the_engines_it_was_given() -> None:
    translator, synthesizer = FakeTranslator(), FakeSynthesizer()
    context = runtime.use(FakeTranscriber(), translator, synthesizer).context
    assert context.translator is translator
    assert context.synthesizer is synthesizer


async def test_a_translator_that_cannot_start_leaves_the_gateway_ready() -> None:
    translator = SlowTranslator(float("inf"), EngineMisconfigured("no such model"))
    runtime.use(FakeTranscriber(), translator, FakeSynthesizer())
    await runtime.start()
    await asyncio.wait_for(translator.tried.wait(), 10)
    assert runtime.unready_reason() is None
    assert runtime.missing_engines()["translator"].endswith("cannot start: no such model")


@pytest.mark.parametrize("error", [EngineUnavailable("no answer"), RuntimeError("unexpected")])
async def test_a_translator_that_cannot_start_is_started_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "RESTART_PAUSES", (0.0,))
    translator = SlowTranslator(3, error)
    runtime.use(FakeTranscriber(), translator)
    await runtime.start()
    await asyncio.wait_for(translator.started.wait(), 10)
    await asyncio.sleep(0)
    assert runtime.missing_engines() == {}


async def test_draining_closes_all_engines() -> None:
    transcriber, translator = FakeTranscriber(), FakeTranslator()
    runtime.use(transcriber, translator)
    await runtime.start()
    await runtime.drain()
    assert transcriber.closed
    assert translator.closed
