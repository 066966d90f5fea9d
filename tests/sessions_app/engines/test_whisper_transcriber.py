"""The queue and process handling of ``whisper://``, with a scripted process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sessions_app.engines.base import (
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Priority,
    TranscriptionRequest,
)
from sessions_app.engines.transcribers.whisper import WhisperTranscriber
from sessions_app.engines.urls import EngineContext
from sessions_app.engines.whisper.recognizer import Recognized, Utterance


class ScriptedProcess:
    """Replaces ``WorkerProcess``: answers with each utterance's length in samples."""

    def __init__(self) -> None:
        self.loaded = frozenset({"en"})
        self.batches: list[list[int]] = []
        self.prompts: list[str] = []
        self.greedy: list[bool] = []
        self.failures: deque[Exception] = deque()
        self.poison: int | None = None
        self.cannot_start = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.hurry = False

    async def start(self) -> None:
        if self.cannot_start:
            raise EngineUnavailable("no memory")

    async def stop(self) -> None: ...

    async def run(
        self, seconds: float, job: Any, utterances: list[Utterance], greedy: bool
    ) -> list[Recognized]:
        lengths = [len(utterance.audio) for utterance in utterances]
        self.batches.append(lengths)
        self.prompts.extend(utterance.prompt for utterance in utterances)
        self.greedy.append(greedy)
        self.entered.set()
        await self.gate.wait()
        if self.failures:
            raise self.failures.popleft()
        if self.poison in lengths:
            raise EngineUnavailable("died")
        return [Recognized(str(length), "en", 1.0, 0.9, "en", 1.0) for length in lengths]


@pytest.fixture
def process() -> ScriptedProcess:
    return ScriptedProcess()


@pytest.fixture
async def engine(process: ScriptedProcess, tmp_path: Path) -> AsyncIterator[WhisperTranscriber]:
    engine = WhisperTranscriber("base", EngineContext(tmp_path), batch=3)
    engine._process = process  # type: ignore[assignment]
    yield engine
    await engine.close()


def request(samples: int, priority: Priority = Priority.FINAL) -> TranscriptionRequest:
    return TranscriptionRequest(np.zeros(samples, np.int16), 8000, priority=priority)


async def test_every_request_gets_its_own_answer(engine: WhisperTranscriber) -> None:
    answers = await asyncio.gather(*(engine.transcribe(request(n)) for n in (10, 20, 30)))
    assert [answer.text for answer in answers] == ["10", "20", "30"]


async def test_waiting_requests_share_a_batch_finals_first(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    calls = [asyncio.create_task(engine.transcribe(request(1)))]
    await process.entered.wait()
    for samples, priority in ((2, Priority.PARTIAL), (3, Priority.FINAL), (4, Priority.FINAL)):
        calls.append(asyncio.create_task(engine.transcribe(request(samples, priority))))
    await asyncio.sleep(0)
    assert not engine.idle
    assert engine.backlog_seconds == pytest.approx(10 / 8000)
    process.gate.set()
    await asyncio.gather(*calls)
    assert process.batches == [[1], [3, 4], [2]]
    assert engine.idle
    assert process.greedy == [False, False, True]


async def test_the_process_is_told_while_a_final_waits(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    first = asyncio.create_task(engine.transcribe(request(10)))
    await process.entered.wait()
    assert not process.hurry
    partial = asyncio.create_task(engine.transcribe(request(20, Priority.PARTIAL)))
    await asyncio.sleep(0)
    assert not process.hurry
    second = asyncio.create_task(engine.transcribe(request(30)))
    await asyncio.sleep(0)
    assert process.hurry
    process.gate.set()
    await asyncio.gather(first, partial, second)
    assert not process.hurry


async def test_a_cancelled_request_is_never_run(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    first = asyncio.create_task(engine.transcribe(request(1)))
    await process.entered.wait()
    cancelled = asyncio.create_task(engine.transcribe(request(2, Priority.PARTIAL)))
    await asyncio.sleep(0)
    cancelled.cancel()
    process.gate.set()
    await first
    assert (await engine.transcribe(request(3))).text == "3"
    assert process.batches == [[1], [3]]


async def test_a_waiting_speculative_request_can_be_promoted(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    calls = [asyncio.create_task(engine.transcribe(request(1)))]
    await process.entered.wait()
    speculative = request(2, Priority.SPECULATIVE)
    calls.append(asyncio.create_task(engine.transcribe(speculative)))
    calls.append(asyncio.create_task(engine.transcribe(request(3))))
    await asyncio.sleep(0)
    assert engine.promote(speculative)
    process.gate.set()
    await asyncio.gather(*calls)
    assert process.batches == [[1], [2, 3]]
    assert not engine.promote(speculative)


@pytest.mark.parametrize("failure", [EngineUnavailable("died"), EngineTimeout("hung")])
async def test_a_batch_is_retried_after_a_crash(
    engine: WhisperTranscriber, process: ScriptedProcess, failure: Exception
) -> None:
    process.failures.append(failure)
    assert (await engine.transcribe(request(1))).text == "1"
    assert process.batches == [[1], [1]]


async def test_audio_that_crashes_the_engine_fails_alone(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.poison = 13
    calls = [engine.transcribe(request(n)) for n in (11, 12, 13)]
    first, second, poison = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(poison, EngineRejected)
    assert not isinstance(first, BaseException)
    assert not isinstance(second, BaseException)
    assert (first.text, second.text) == ("11", "12")


async def test_a_failed_process_start_does_not_count_against_the_audio(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    await engine.start()
    process.cannot_start = True
    for _ in range(3):
        with pytest.raises(EngineUnavailable):
            await engine.transcribe(request(1))
    process.cannot_start = False
    assert (await engine.transcribe(request(1))).text == "1"


async def test_an_unexpected_error_fails_the_request_and_not_the_next(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.failures.append(ZeroDivisionError())
    with pytest.raises(EngineUnavailable):
        await engine.transcribe(request(1))
    assert (await engine.transcribe(request(2))).text == "2"


async def test_more_than_two_minutes_of_waiting_speech_is_an_overload(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    waiting = asyncio.create_task(engine.transcribe(request(8000 * 119)))
    await process.entered.wait()
    with pytest.raises(EngineOverloaded) as caught:
        await engine.transcribe(request(8000 * 2))
    assert caught.value.retry_after
    process.gate.set()
    await waiting


async def test_a_request_that_only_waited_in_the_queue_is_an_overload(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    working = asyncio.create_task(engine.transcribe(request(1)))
    await process.entered.wait()
    with pytest.raises(EngineOverloaded):
        await engine.transcribe(request(2), timeout=0.02)
    process.gate.set()
    await working


async def test_a_request_that_the_process_does_not_answer_is_a_timeout(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    with pytest.raises(EngineTimeout):
        await engine.transcribe(request(1), timeout=0.02)
    process.gate.set()


async def test_closing_fails_all_waiting_requests(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    calls = [asyncio.create_task(engine.transcribe(request(1)))]
    await process.entered.wait()
    calls.append(asyncio.create_task(engine.transcribe(request(2))))
    await asyncio.sleep(0)
    await engine.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, EngineUnavailable) for result in results)
    with pytest.raises(EngineUnavailable):
        await engine.transcribe(request(3))


async def test_a_long_queue_is_decoded_without_beam_search(
    engine: WhisperTranscriber, process: ScriptedProcess
) -> None:
    process.gate.clear()
    calls = [asyncio.create_task(engine.transcribe(request(1)))]
    await process.entered.wait()
    calls += [asyncio.create_task(engine.transcribe(request(8000 * 25))) for _ in range(2)]
    await asyncio.sleep(0)
    process.gate.set()
    await asyncio.gather(*calls)
    assert process.greedy == [False, True, True]


@pytest.mark.parametrize(
    ("context", "prompt"),
    [
        ("Good morning, I am calling about", "Good morning, I am calling about"),
        ("my number is five five", "my number is five five"),
        ("I am calling about the invoice.", ""),
        # Whisper writes like its prompt, and would write no punctuation until the talk ends.
        ("i am calling about the invoice of this month it is far too high", ""),
    ],
)
async def test_a_context_that_makes_results_worse_is_left_out(
    engine: WhisperTranscriber, process: ScriptedProcess, context: str, prompt: str
) -> None:
    audio = np.zeros(800, np.int16)
    await engine.transcribe(TranscriptionRequest(audio, 8000, context=context))
    assert process.prompts == [prompt]
