"""One speaker's live audio on a virtual clock, with an engine that does as it is told."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.engines.base import (
    EngineRejected,
    EngineUnavailable,
    Priority,
    Transcription,
)
from sessions_app.streaming import turns
from sessions_app.streaming.events import (
    FinalTranscript,
    PartialTranscript,
    SpeechStarted,
    SpeechStopped,
    StreamWarning,
)
from sessions_app.streaming.media import AudioFrame
from sessions_app.streaming.pipeline import PipelineOptions, TrackPipeline
from sessions_app.streaming.timeline import ClockMode, Timeline
from tests.fakes.audio import MULAW, frames, silence, speech
from tests.fakes.clock import VirtualClock, settle
from tests.fakes.engines import FakeTranscriber


class ListTap:
    def __init__(self):
        self.frames = []

    def write(self, frame):
        self.frames.append(frame)

    def close(self):
        pass


@dataclass
class Call:
    """A pipeline and everything around it. ``say`` plays audio at real-time pace."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    options: PipelineOptions = field(default_factory=PipelineOptions)
    clock_mode: ClockMode = "arrival"

    def __post_init__(self):
        self.engine = FakeTranscriber(default="Hello there.", delay=0.2, sleep=self.clock.sleep)
        self.events = []
        self.emitted_at = []
        self.tap = ListTap()
        self.sent = 0.0
        self.pipeline = TrackPipeline(
            speaker="customer",
            transcriber=self.engine,
            emit=self._emit,
            clock=self.clock,
            timeline=Timeline(zero=None, clock_mode=self.clock_mode),
            taps=[self.tap],
            options=self.options,
        )

    def _emit(self, event):
        self.events.append(event)
        self.emitted_at.append((self.clock.time() - 1_700_000_000.0, event))

    async def say(self, *clips, pace=1.0):
        for placed in frames(*clips, start=self.sent):
            self.pipeline.feed(
                AudioFrame(
                    "customer",
                    MULAW,
                    placed.payload,
                    None,
                    round(placed.start * 1000),
                    self.clock.time(),
                )
            )
            self.sent = placed.end
            await self.clock.advance(placed.duration * pace)

    async def drain(self, within=60.0):
        draining = asyncio.ensure_future(self.pipeline.drain(within))
        while not draining.done():
            await self.clock.advance(0.5)
        return await draining

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def finals(self):
        return self.of(FinalTranscript)

    @property
    def partials(self):
        return self.of(PartialTranscript)

    @property
    def warnings(self):
        return [warning.code for warning in self.of(StreamWarning)]

    def when(self, kind):
        """Seconds after the call began at which each event of a kind was emitted."""
        return [at for at, event in self.emitted_at if isinstance(event, kind)]


@pytest.fixture
async def call():
    call = Call()
    yield call
    call.pipeline.close()
    await settle()


def quiet_call(**options):
    return Call(options=PipelineOptions(partials=False, **options))


class TestOneUtterance:
    async def test_speech_is_announced_transcribed_and_over(self, call):
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

    async def test_no_partials_when_not_wanted(self):
        call = quiet_call()
        await call.say(speech(4), silence(1.5))
        assert call.partials == []
        assert len(call.finals) == 1
        assert call.engine.asked(Priority.PARTIAL) == []

    async def test_a_final_without_words_is_no_segment(self):
        call = quiet_call()
        call.engine.answer = lambda request: "  "
        await call.say(speech(2), silence(1.5))
        assert call.finals == []
        assert call.of(SpeechStopped)

    async def test_partials_are_withdrawn_when_it_turns_out_to_be_no_speech(self, call):
        call.engine.answer = lambda request: "Mm" if request.priority is Priority.PARTIAL else ""
        await call.say(speech(2), silence(1.5))
        assert call.finals == []
        assert call.partials[-1].text == ""
        assert call.partials[0].id == call.partials[-1].id

    async def test_a_nul_in_an_answer_does_not_reach_the_database(self):
        call = quiet_call()
        call.engine.say("Hel\0lo.")
        await call.say(speech(2), silence(1.5))
        assert [final.text for final in call.finals] == ["Hello."]

    async def test_vocabulary_language_and_context_reach_the_engine(self):
        call = quiet_call(vocabulary=("Kallglot",), language="es-MX")
        await call.say(speech(1), silence(1), speech(1), silence(1))
        first, second = call.engine.requests
        assert (first.vocabulary, first.language, first.context) == (("Kallglot",), "es", "")
        assert second.context == "Hello there."


class TestSpeculation:
    async def test_the_final_comes_as_soon_as_silence_confirms_it(self):
        call = quiet_call()
        await call.say(speech(2), silence(1.5))
        [request] = call.engine.requests
        assert request.priority is Priority.SPECULATIVE
        [at] = call.when(FinalTranscript)
        assert at - call.finals[0].end_time <= turns.FINISHED + 0.21

    async def test_speech_that_goes_on_throws_it_away(self):
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

    async def test_a_slow_engine_is_waited_for_rather_than_cutting(self):
        call = quiet_call()
        call.engine.delay = 0.7
        call.engine.answer = lambda request: "My number is 5 5 5."
        await call.say(speech(1), silence(1.4), speech(1), silence(3))
        assert len(call.finals) == 1

    async def test_one_that_still_waits_when_the_utterance_ends_is_moved_up(self):
        call = quiet_call()
        call.engine.delay = 3.0
        await call.say(speech(2), silence(6))
        [request] = call.engine.requests
        assert call.engine.promoted == [request]
        assert len(call.finals) == 1

    async def test_a_speaker_who_was_cut_short_is_given_more_time(self):
        call = quiet_call()
        call.engine.answer = lambda request: "That is one."
        await call.say(*[speech(1.5), silence(0.6)] * 8, silence(1))
        lengths = [final.end_time - final.start_time for final in call.finals]
        assert lengths[0] == pytest.approx(1.5, abs=0.15)
        assert max(lengths) > 3, "later pauses of the same length are waited out"

    async def test_a_busy_engine_means_plain_endpointing(self):
        call = quiet_call()
        call.engine.scripted_idle = False
        await call.say(speech(2), silence(1.5))
        [request] = call.engine.requests
        assert request.priority is Priority.FINAL
        stopped = call.when(SpeechStopped)[0]
        assert stopped - call.finals[0].end_time == pytest.approx(0.5, abs=0.15)

    async def test_a_failed_speculation_is_asked_again_as_a_final(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            EngineUnavailable() if request.priority is Priority.SPECULATIVE else "Hello."
        )
        await call.say(speech(2), silence(1.5))
        assert [final.text for final in call.finals] == ["Hello."]

    async def test_files_faster_than_real_time_are_not_speculated_upon(self):
        call = Call(clock_mode="media")
        await call.say(*[speech(2), silence(1)] * 5, pace=0.01)
        await call.drain()
        assert len(call.finals) == 5
        assert {each.priority for each in call.engine.requests} == {Priority.FINAL}


class TestPartials:
    async def test_there_is_one_in_flight_at_most(self, call):
        call.engine.delay = 3.0
        await call.say(speech(8), silence(1))
        assert call.engine.most_at_once == 1

    async def test_none_is_asked_for_while_the_engine_works_for_others(self, call):
        call.engine.scripted_idle = False
        await call.say(speech(4))
        assert call.engine.requests == []

    async def test_a_stale_one_is_not_shown_after_the_utterance(self, call):
        call.engine.delay = 2.5
        await call.say(speech(2), silence(6))
        final_at = call.when(FinalTranscript)[0]
        assert all(at < final_at for at in call.when(PartialTranscript))
        assert len(call.finals) == 1

    async def test_the_same_words_are_sent_once(self, call):
        await call.say(speech(6))
        assert [each.text for each in call.partials] == ["Hello there."]


class TestFinalsAreNeverDropped:
    async def test_an_engine_that_fails_is_asked_again(self):
        call = quiet_call()
        failures = iter([EngineUnavailable()] * 4)
        call.engine.answer = lambda request: next(failures, "Here it is.")
        await call.say(speech(1), silence(1))
        await call.clock.advance(30)
        assert [final.text for final in call.finals] == ["Here it is."]
        assert call.warnings == ["transcription_delayed"]

    async def test_they_stay_in_order_behind_one_that_fails(self):
        call = quiet_call()
        call.engine.scripted_idle = False
        failures = iter([EngineUnavailable()] * 2)
        call.engine.answer = lambda request: next(failures, "Words.")
        await call.say(*[speech(1), silence(1)] * 3)
        assert await call.drain()
        starts = [final.start_time for final in call.finals]
        assert len(starts) == 3
        assert starts == sorted(starts)

    async def test_what_the_engine_refuses_for_good_is_given_up_with_a_warning(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            EngineRejected() if request.duration < 2 else "The second."
        )
        await call.say(speech(1), silence(1), speech(2), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["The second."]
        assert call.warnings == ["transcription_failed"]

    async def test_a_request_refused_with_vocabulary_is_tried_without(self):
        call = quiet_call(vocabulary=("Kallglot",))
        call.engine.answer = lambda request: EngineRejected() if request.vocabulary else "Hello."
        await call.say(speech(1), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["Hello."]

    async def test_a_bug_in_the_engine_does_not_stop_the_call(self):
        call = quiet_call()
        call.engine.answer = lambda request: (
            RuntimeError("secret words") if request.duration < 2 else "Fine."
        )
        await call.say(speech(1), silence(1), speech(2), silence(1))
        assert await call.drain()
        assert [final.text for final in call.finals] == ["Fine."]

    async def test_minutes_of_backlog_wait_on_disk_and_come_back_in_order(self, tmp_path):
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

    async def test_draining_ends_in_time_with_an_engine_that_never_answers(self):
        call = quiet_call()
        call.engine.delay = 10_000
        await call.say(speech(1), silence(1))
        assert not await call.drain(within=5)
        call.pipeline.close()
        await settle()
        assert call.engine.idle

    async def test_draining_finishes_the_utterance_under_way(self):
        call = quiet_call()
        await call.say(speech(2))
        assert await call.drain()
        assert len(call.finals) == 1
        assert call.finals[0].end_time == pytest.approx(2, abs=0.1)


class TestSwitches:
    async def test_a_paused_recording_forgets_the_utterance_and_hears_nothing(self, call):
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

    async def test_a_stall_of_the_server_itself_cuts_nothing(self):
        call = quiet_call()
        await call.say(speech(1))
        call.clock.stall(3)
        await call.clock.advance(0.01)
        await call.say(speech(1), silence(1))
        assert [final.end_time for final in call.finals] == [pytest.approx(2, abs=0.1)]

    async def test_nothing_runs_while_nobody_speaks(self, call):
        await call.say(silence(2))
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks


class TestWarnings:
    async def test_they_are_told_with_their_speaker_and_not_ten_times_a_second(self, call):
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
    async def test_a_change_of_language_is_written_down_again(self):
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
def test_whatever_happens_in_a_call_its_events_make_sense(steps, answers):
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
