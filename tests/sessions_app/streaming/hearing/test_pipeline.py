"""One speaker's live audio: speech events, transcripts, and the switches of recording and
transcription."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.engines.base import EngineUnavailable, Priority, Transcription
from sessions_app.live_events import (
    SpeechStarted,
    SpeechStopped,
    StreamWarning,
)
from sessions_app.media import AudioFrame
from tests.fakes.audio import MULAW, silence, speech
from tests.fakes.calls import Call, quiet_call


class TestOneUtterance:
    async def test_an_utterance_gives_speech_events_and_a_final(self, call):
        await call.say(silence(0.5), speech(2), silence(1.5))
        kinds = [type(event).__name__ for event in call.events]
        assert kinds[0] == "SpeechStarted"
        assert kinds[-2:] == ["SpeechStopped", "FinalTranscript"]
        [final] = call.finals
        assert final.text == "Hello there."
        assert final.start_time == pytest.approx(0.5, abs=0.1)
        assert final.end_time == pytest.approx(2.5, abs=0.15)
        assert (final.speaker, final.language, final.confidence) == ("customer", "en", 0.9)

    async def test_partials_have_the_finals_id_and_start(self, call):
        await call.say(speech(4), silence(1.5))
        [final] = call.finals
        assert call.partials
        assert {each.id for each in call.partials} == {final.id}
        assert {each.start_time for each in call.partials} == {final.start_time}

    async def test_no_partials_when_they_are_switched_off(self):
        call = quiet_call()
        await call.say(speech(4), silence(1.5))
        assert call.partials == []
        assert len(call.finals) == 1
        assert call.engine.asked(Priority.PARTIAL) == []

    async def test_a_transcription_without_words_gives_no_final(self):
        call = quiet_call()
        call.engine.answer = lambda request: "  "
        await call.say(speech(2), silence(1.5))
        assert call.finals == []
        assert call.of(SpeechStopped)

    async def test_partials_are_withdrawn_when_the_final_has_no_words(self, call):
        call.engine.answer = lambda request: "Mm" if request.priority is Priority.PARTIAL else ""
        await call.say(speech(2), silence(1.5))
        assert call.finals == []
        assert call.partials[-1].text == ""
        assert call.partials[0].id == call.partials[-1].id

    async def test_languages_reach_the_engine_and_a_detected_one_is_not_certain(self):
        call = quiet_call(languages=("es", "en"))
        await call.say(speech(4), silence(1.5))
        await call.say(speech(4), silence(1.5))
        first, second = call.engine.requests[0], call.engine.requests[-1]
        assert first.languages == second.languages == ("es", "en")
        assert (first.language, second.certain) == (None, False)
        call = quiet_call(language="es")
        await call.say(speech(2), silence(1.5))
        assert call.engine.requests[0].certain

    async def test_vocabulary_language_and_context_reach_the_engine(self):
        call = quiet_call(vocabulary=("Kallglot",), language="es-MX")
        await call.say(speech(1), silence(1), speech(1), silence(1))
        first, second = call.engine.requests
        assert (first.vocabulary, first.language, first.context) == (("Kallglot",), "es", "")
        assert second.context == "Hello there."


class TestSwitches:
    async def test_a_pause_of_the_recording_discards_the_utterance_and_stops_everything(self, call):
        await call.say(speech(2))
        call.pipeline.pause_recording()
        recorded = len(call.tap.frames)
        await call.say(speech(2), silence(1))
        call.pipeline.resume_recording()
        await call.say(silence(1))
        await call.drain()
        assert call.finals == []
        assert call.partials[-1].text == ""
        assert [type(e).__name__ for e in call.events].count("SpeechStopped") == 1
        assert len(call.tap.frames) == recorded + 10
        assert call.tap.frames[recorded].start == pytest.approx(5.0)

    @pytest.mark.parametrize(("engine_delay", "pause"), [(0.2, 0.3), (1.0, 0.4), (1.0, 0.9)])
    async def test_a_pause_of_the_recording_keeps_a_sentence_that_had_ended(
        self, call, engine_delay, pause
    ):
        call.engine.delay = engine_delay
        await call.say(speech(2), silence(pause))
        call.pipeline.pause_recording()
        await call.say(speech(2), silence(1))
        assert await call.drain()
        [final] = call.finals
        assert final.end_time == pytest.approx(2, abs=0.15)

    async def test_a_pause_of_the_recording_discards_a_sentence_in_a_short_breath(self, call):
        await call.say(speech(2), silence(0.1))
        call.pipeline.pause_recording()
        await call.say(silence(1))
        assert await call.drain()
        assert call.finals == []

    async def test_the_timeline_goes_on_while_paused(self, call):
        call.pipeline.pause_recording()
        await call.say(silence(3))
        assert call.pipeline.position == pytest.approx(3)

    async def test_a_muted_speaker_is_neither_recorded_nor_transcribed(self):
        call = quiet_call()
        await call.say(speech(1))
        call.pipeline.mute()
        await call.say(speech(2))
        call.pipeline.unmute()
        await call.say(silence(1))
        assert await call.drain()
        assert len(call.tap.frames) == 20
        [final] = call.finals
        assert final.end_time == pytest.approx(1, abs=0.1)

    async def test_paused_transcription_still_records(self):
        call = quiet_call()
        call.pipeline.pause_transcription()
        await call.say(speech(2), silence(1))
        call.pipeline.resume_transcription()
        await call.say(speech(1), silence(1))
        assert len(call.tap.frames) == 50
        [final] = call.finals
        assert final.start_time == pytest.approx(3, abs=0.1)


class TestAudioThatStops:
    async def test_an_utterance_ends_when_its_audio_stops_coming(self):
        call = quiet_call()
        await call.say(speech(2))
        await call.clock.advance(2)
        [final] = call.finals
        assert final.end_time == pytest.approx(2, abs=0.1)

    async def test_a_stall_of_the_server_does_not_end_an_utterance(self):
        call = quiet_call()
        await call.say(speech(1))
        call.clock.stall(3)
        await call.clock.advance(0.01)
        await call.say(speech(1), silence(1))
        assert [final.end_time for final in call.finals] == [pytest.approx(2, abs=0.1)]

    async def test_no_task_runs_while_nobody_speaks(self, call):
        await call.say(silence(2))
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks


class TestWarnings:
    async def test_warnings_name_their_speaker_and_are_sent_once_a_second(self, call):
        for number in range(20):
            call.pipeline.feed(
                AudioFrame("customer", MULAW, bytes(800), number * 3, None, call.clock.time())
            )
            await call.clock.advance(0.1)
        assert call.warnings == ["sequence_gap"] * 2
        assert call.of(StreamWarning)[0].speaker == "customer"

    async def test_a_broken_tap_does_not_stop_the_call(self):
        call = quiet_call()
        call.tap.write = None
        await call.say(speech(1), silence(1))
        assert len(call.finals) == 1


class TestLanguage:
    async def test_an_utterance_that_changes_the_language_is_transcribed_again(self):
        call = quiet_call()

        def answer(request):
            language = request.language or spoken
            return Transcription(f"Said in {language}.", language, 0.95, 0.9, spoken, 0.95)

        call.engine.answer = answer
        spoken = "en"
        await call.say(*[speech(4), silence(1)] * 2)
        spoken = "es"
        await call.say(*[speech(4), silence(1)] * 3)
        assert await call.drain()
        texts = [final.text for final in call.finals]
        assert texts[:2] == ["Said in en.", "Said in en."]
        assert texts[-1] == "Said in es."
        changed = texts.index("Said in es.")
        assert all(text == "Said in es." for text in texts[changed:])
        assert len(call.engine.requests) == len(texts) + 1


async def test_speech_events_come_in_pairs(call):
    await call.say(*[speech(1), silence(1)] * 3)
    pairs = [event for event in call.events if isinstance(event, SpeechStarted | SpeechStopped)]
    assert [type(event) for event in pairs] == [SpeechStarted, SpeechStopped] * 3
    assert [event.at for event in pairs] == sorted(event.at for event in pairs)


SWITCHES = [
    "mute",
    "unmute",
    "pause_transcription",
    "resume_transcription",
    "pause_recording",
    "resume_recording",
]
sounds = st.tuples(
    st.sampled_from(["speech", "speech", "silence", "nothing"]),
    st.sampled_from([0.2, 0.5, 1.5, 3.0]),
)
switched = st.one_of(st.none(), st.sampled_from(SWITCHES))
steps = st.lists(st.tuples(sounds, switched), min_size=2, max_size=10)


@settings(max_examples=60, deadline=None)
@given(steps=steps, answers=st.lists(st.sampled_from(["Yes.", "", "My number is 5", None])))
def test_events_are_consistent_whatever_happens_in_a_call(steps, answers):
    asyncio.run(_check_events(steps, answers))


async def _check_events(steps, answers):
    call = Call()
    call.engine.say(*[EngineUnavailable() if each is None else each for each in answers])
    for (sound, seconds), switch in steps:
        if sound == "nothing":
            await call.clock.advance(seconds)
        else:
            await call.say(speech(seconds) if sound == "speech" else silence(seconds))
        if switch:
            getattr(call.pipeline, switch)()
    assert await call.drain()
    edges = [event for event in call.events if isinstance(event, SpeechStarted | SpeechStopped)]
    assert [type(event) for event in edges] == [SpeechStarted, SpeechStopped] * (len(edges) // 2)
    ends = [0.0]
    for final in call.finals:
        assert ends[-1] <= final.start_time < final.end_time <= call.pipeline.position + 0.001
        ends.append(final.end_time)
    final_ids = {final.id for final in call.finals}
    last_partial = {partial.id: partial.text for partial in call.partials}
    for shown, text in last_partial.items():
        assert shown in final_ids or text == "", "a partial was neither confirmed nor withdrawn"
    assert call.pipeline.backlog_seconds == 0
    call.pipeline.close()
