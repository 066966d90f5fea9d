"""Finals are never dropped, whatever the engine does."""

import numpy as np
import pytest

from sessions_app.engines.base import (
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Transcription,
)
from sessions_app.live_events import StreamWarning
from sessions_app.streaming.hearing.pipeline import PipelineOptions
from tests.fakes.audio import silence, speech
from tests.fakes.calls import Call, quiet_call
from tests.fakes.clock import settle


class TestFinalsAreNeverDropped:
    async def test_a_failed_request_is_repeated(self):
        call = quiet_call()
        failures = iter([EngineUnavailable()] * 4)
        call.engine.answer = lambda request: next(failures, "Here it is.")
        await call.say(speech(1), silence(1))
        await call.clock.advance(30)
        assert [final.text for final in call.finals] == ["Here it is."]
        assert call.warnings == ["transcription_delayed"]

    @pytest.mark.parametrize(
        ("error", "problem"),
        [(EngineOverloaded(retry_after=0.1), "is full"), (EngineTimeout(), "does not answer")],
    )
    async def test_the_warning_tells_a_full_engine_from_one_that_does_not_answer(
        self, error, problem
    ):
        call = quiet_call()
        failures = iter([error] * 4)
        call.engine.answer = lambda request: next(failures, "Here it is.")
        await call.say(speech(1), silence(1))
        await call.clock.advance(30)
        [warning] = call.of(StreamWarning)
        assert warning.message == f"The transcription engine {problem}; still trying."
        assert [final.text for final in call.finals] == ["Here it is."]

    async def test_finals_stay_in_order_when_one_fails_first(self):
        call = quiet_call()
        call.engine.scripted_idle = False
        failures = iter([EngineUnavailable()] * 2)
        call.engine.answer = lambda request: next(failures, "Words.")
        await call.say(*[speech(1), silence(1)] * 3)
        assert await call.drain()
        starts = [final.start_time for final in call.finals]
        assert len(starts) == 3
        assert starts == sorted(starts)

    async def test_an_utterance_that_the_engine_rejects_is_given_up_with_a_warning(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            EngineRejected() if request.duration < 2 else "The second."
        )
        await call.say(speech(1), silence(1), speech(2), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["The second."]
        assert call.warnings == ["transcription_failed"]

    async def test_a_request_rejected_with_vocabulary_is_repeated_without(self):
        call = quiet_call(vocabulary=("Kallglot",))
        call.engine.answer = lambda request: EngineRejected() if request.vocabulary else "Hello."
        await call.say(speech(1), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["Hello."]

    async def test_a_confidence_that_is_no_number_counts_as_none(self):
        call = quiet_call()
        call.engine.answer = lambda request: Transcription("Hello.", "en", 1.0, float("nan"))
        await call.say(speech(1), silence(1))
        assert await call.drain()
        assert [final.confidence for final in call.finals] == [0.0]

    async def test_a_bug_in_the_engine_does_not_stop_the_call(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            RuntimeError("secret words") if request.duration < 2 else "Fine."
        )
        await call.say(speech(1), silence(1), speech(2), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["Fine."]

    async def test_minutes_of_backlog_go_to_disk_and_come_back_in_order(self, tmp_path):
        call = Call(
            clock_mode="media",
            options=PipelineOptions(partials=False, journal_directory=tmp_path),
        )
        call.engine.delay = 0.0
        call.engine.answer = lambda request: EngineUnavailable()
        for number in range(20):
            await call.say(speech(10, level=3000 + 500 * number), silence(1), pace=0.0001)
        assert call.pipeline.backlog_seconds == pytest.approx(200, abs=4)
        assert call.pipeline._finals._backlog.spilled >= 7
        heard = []

        def answer(request):
            heard.append(int(np.abs(request.audio).max()))
            return f"Number {len(heard)}."

        call.engine.answer = answer
        assert await call.drain()
        assert len(call.finals) == 20
        assert heard == sorted(heard)
        assert "transcription_delayed" in call.warnings
        assert call.pipeline.backlog_seconds == 0

    async def test_draining_ends_in_time_when_the_engine_never_answers(self):
        call = quiet_call()
        call.engine.delay = 10_000
        await call.say(speech(1), silence(1))
        assert not await call.drain(within=5)
        call.pipeline.close()
        await settle()
        assert call.engine.idle

    async def test_draining_finishes_the_open_utterance(self):
        call = quiet_call()
        await call.say(speech(2))
        assert await call.drain()
        assert len(call.finals) == 1
        assert call.finals[0].end_time == pytest.approx(2, abs=0.1)
