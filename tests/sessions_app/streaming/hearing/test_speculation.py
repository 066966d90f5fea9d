"""Hypotheses: speculative finals and partials."""

import pytest

from sessions_app.engines.base import EngineUnavailable, Priority
from sessions_app.live_events import FinalTranscript, PartialTranscript, SpeechStopped
from sessions_app.streaming.hearing import turns
from tests.fakes.audio import silence, speech
from tests.fakes.calls import Call, quiet_call


class TestSpeculation:
    async def test_the_final_comes_as_soon_as_silence_confirms_it(self):
        call = quiet_call()
        await call.say(speech(2), silence(1.5))
        [request] = call.engine.requests
        assert request.priority is Priority.SPECULATIVE
        [at] = call.when(FinalTranscript)
        assert at - call.finals[0].end_time <= turns.FINISHED + 0.21

    async def test_a_speculative_final_is_dropped_when_speech_goes_on(self):
        call = quiet_call()
        await call.say(speech(2), silence(0.25), speech(2), silence(1.5))
        assert len(call.finals) == 1
        last = call.engine.requests[-1]
        assert last.duration == pytest.approx(4.5, abs=0.2)

    async def test_a_finished_sentence_closes_sooner_than_one_that_goes_on(self):
        waits = []
        for text in ("That is all.", "I wanted to say that"):
            call = quiet_call()
            call.engine.say(text)
            await call.say(speech(2), silence(2.5))
            waits.append(call.when(FinalTranscript)[0] - call.finals[0].end_time)
        assert waits[0] < 0.55 < waits[1]

    async def test_a_spelled_number_is_not_cut_apart(self):
        call = quiet_call()
        call.engine.answer = lambda request: "My number is 5 5 5."
        await call.say(speech(1), silence(1.2), speech(1), silence(1.2), speech(1), silence(3))
        assert len(call.finals) == 1

    async def test_a_slow_engine_does_not_cut_a_number_apart(self):
        call = quiet_call()
        call.engine.delay = 0.7
        call.engine.answer = lambda request: "My number is 5 5 5."
        await call.say(speech(1), silence(1.4), speech(1), silence(3))
        assert len(call.finals) == 1

    async def test_a_speculative_request_becomes_a_final_one_when_the_utterance_ends(self):
        call = quiet_call()
        call.engine.delay = 3.0
        await call.say(speech(2), silence(6))
        [request] = call.engine.requests
        assert call.engine.promoted == [request]
        assert len(call.finals) == 1

    async def test_the_delay_grows_for_a_speaker_who_goes_on_after_the_end(self):
        call = quiet_call()
        call.engine.answer = lambda request: "That is one."
        await call.say(*[speech(1.5), silence(0.6)] * 8, silence(1))
        lengths = [final.end_time - final.start_time for final in call.finals]
        assert lengths[0] == pytest.approx(1.5, abs=0.15)
        assert max(lengths) > 3, "later pauses of the same length are waited out"

    async def test_a_busy_engine_is_not_asked_for_a_speculative_final(self):
        call = quiet_call()
        call.engine.scripted_idle = False
        await call.say(speech(2), silence(1.5))
        [request] = call.engine.requests
        assert request.priority is Priority.FINAL
        stopped = call.when(SpeechStopped)[0]
        assert stopped - call.finals[0].end_time == pytest.approx(0.5, abs=0.15)

    async def test_a_failed_speculative_request_is_repeated_as_a_final(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            EngineUnavailable() if request.priority is Priority.SPECULATIVE else "Hello."
        )
        await call.say(speech(2), silence(1.5))
        assert [final.text for final in call.finals] == ["Hello."]

    async def test_audio_faster_than_real_time_gets_no_speculative_finals(self):
        call = Call(clock_mode="media")
        await call.say(*[speech(2), silence(1)] * 5, pace=0.01)
        await call.drain()
        assert len(call.finals) == 5
        assert {each.priority for each in call.engine.requests} == {Priority.FINAL}


class TestPartials:
    async def test_at_most_one_request_is_in_flight(self, call):
        call.engine.delay = 3.0
        await call.say(speech(8), silence(1))
        assert call.engine.most_at_once == 1

    async def test_a_busy_engine_is_not_asked_for_partials(self, call):
        call.engine.scripted_idle = False
        await call.say(speech(4))
        assert call.engine.requests == []

    async def test_no_partial_is_sent_after_the_final(self, call):
        call.engine.delay = 2.5
        await call.say(speech(2), silence(6))
        final_at = call.when(FinalTranscript)[0]
        assert all(at < final_at for at in call.when(PartialTranscript))
        assert len(call.finals) == 1

    async def test_the_same_words_are_sent_once(self, call):
        await call.say(speech(6))
        assert [each.text for each in call.partials] == ["Hello there."]
