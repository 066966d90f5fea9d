"""Speech for one party: paced, in order, and giving way to its voice."""

import asyncio

import numpy as np
import pytest

from sessions_app.engines.base import EngineUnavailable, SpeechAudio, Synthesizer
from sessions_app.live_events import (
    AudioClear,
    AudioOutput,
    StreamWarning,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.media import AudioFormat, PlacedFrame, decode, encode
from sessions_app.streaming.hearing.echo import Clip
from sessions_app.streaming.hearing.utterances import Voice
from sessions_app.streaming.speaking.heard import LONGEST_LAG, REMEMBERED
from sessions_app.streaming.speaking.interruptions import LONGEST_WAIT
from sessions_app.streaming.speaking.lane import LONGEST_QUEUE, SENTENCE_WITHIN, Lane
from sessions_app.streaming.speaking.output import AHEAD, BLOCK, PacedOutput
from sessions_app.streaming.speaking.tempo import FASTEST
from tests.fakes.audio import speech
from tests.fakes.clock import VirtualClock, settle

MULAW = AudioFormat("mulaw", 8000)
RATE = 8000


class Voices(Synthesizer):
    """Speaks a second for each word, at another rate than the telephone's."""

    name = "voices"
    languages = frozenset({"en", "es"})
    attempts = 1

    def __init__(self):
        self.asked = []
        self.errors = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def _synthesize(self, text, language, voice):
        self.asked.append((text, language, voice))
        if self.errors:
            raise self.errors.pop()
        for number, _ in enumerate(text.split()):
            await self.gate.wait()
            yield SpeechAudio(speech(1.0, rate=16000, seed=len(self.asked) * 10 + number), 16000)


class Listener:
    """A lane and what it sends to its client."""

    def __init__(self, format=MULAW, **options):
        self.clock = VirtualClock()
        self.began = self.clock.time()
        self.voices = Voices()
        self.sent: list[tuple[float, AudioOutput | AudioClear]] = []
        self.warnings: list[StreamWarning] = []
        self.interrupted: list[str] = []
        self.heard: list[PlacedFrame] = []
        self.lane = Lane(
            "customer",
            output=PacedOutput(
                send=lambda message: self.sent.append((self.now, message)),
                format=lambda: format,
                clock=self.clock,
                now=lambda: self.now,
                heard=self.heard.append,
            ),
            synthesizer=self.voices,
            clock=self.clock,
            warn=self.warnings.append,
            interrupted=self.interrupted.append,
            **options,
        )

    @property
    def now(self):
        return self.clock.time() - self.began

    def say(self, text, segment="seg_1", number=0, last=True):
        self.lane.add(WordsToSpeak(segment, "agent", "es", text, number, last, end_time=0.0))

    def voiced(self, seconds, samples=None):
        clip = Clip(self.now, speech(0.5, seed=99) if samples is None else samples, RATE)
        self.lane.listen(Voice(seconds, lambda _: clip))

    @property
    def audio(self):
        return [(at, each) for at, each in self.sent if isinstance(each, AudioOutput)]

    @property
    def seconds(self):
        return sum(each.format.duration(each.payload) for _, each in self.audio)

    @property
    def cleared(self):
        return [each for _, each in self.sent if isinstance(each, AudioClear)]


@pytest.fixture
async def listener():
    listener = Listener()
    yield listener
    listener.lane.close()
    await settle()


async def test_speech_leaves_at_once_and_then_at_the_pace_of_a_call(listener):
    listener.say("uno dos tres cuatro cinco")
    await listener.clock.advance(6.0)
    assert listener.audio[0][0] == 0.0
    sent = 0.0
    for at, block in listener.audio:
        sent += block.format.duration(block.payload)
        assert sent <= at + AHEAD + 1e-6
        assert sent >= at  # the client never runs dry
    assert listener.seconds == pytest.approx(5.0, abs=0.05)


async def test_only_the_end_of_a_segment_is_its_last(listener):
    listener.say("uno dos", number=0, last=False)
    listener.say("tres", number=1)
    await listener.clock.advance(5.0)
    lasts = [block.last for _, block in listener.audio]
    assert lasts == [False] * (len(lasts) - 1) + [True]
    assert [block.sequence for _, block in listener.audio] == list(range(1, len(lasts) + 1))


async def test_a_segment_of_which_nothing_is_left_to_say_gets_its_end(listener):
    listener.say("uno dos", number=0, last=False)
    await listener.clock.advance(4.0)
    listener.say("", number=1)
    await listener.clock.advance(1.0)
    lasts = [block.last for _, block in listener.audio]
    assert lasts == [False] * (len(lasts) - 1) + [True]
    assert {block.segment_id for _, block in listener.audio} == {"seg_1"}
    assert listener.seconds == pytest.approx(2.0, abs=0.05)


async def test_speech_that_was_cut_off_gets_no_end(listener):
    listener.say("uno dos", number=0, last=False)
    await listener.clock.advance(1.0)
    listener.voiced(0.4)
    listener.voiced(0.0)
    listener.say("", number=1)
    await listener.clock.advance(3.0)
    assert not any(block.last for _, block in listener.audio)
    listener.say("tres", number=0, segment="seg_2")
    await listener.clock.advance(3.0)
    assert listener.audio[-1][1].last


async def test_a_segment_that_was_spoken_before_the_listener_came_gets_no_end(listener):
    listener.say("", number=3)
    await listener.clock.advance(1.0)
    assert listener.audio == []


async def test_sentences_come_in_the_order_in_which_they_were_said(listener):
    for number in range(4):
        listener.say(f"frase{number}", segment=f"seg_{number}")
    await listener.clock.advance(6.0)
    order = [block.segment_id for _, block in listener.audio]
    assert order == sorted(order)
    assert len(set(order)) == 4


async def test_the_next_sentence_is_made_while_one_is_heard(listener):
    listener.say("uno dos tres")
    listener.say("cuatro", segment="seg_2")
    await listener.clock.advance(0.5)
    assert [text for text, _, _ in listener.voices.asked] == ["uno dos tres", "cuatro"]


async def test_the_first_sound_does_not_wait_for_the_last_word(listener):
    listener.voices.gate.clear()
    listener.say("uno dos tres")
    await settle()
    listener.voices.gate.set()
    await settle()
    listener.voices.gate.clear()
    await listener.clock.advance(0.2)
    assert listener.audio


async def test_speech_has_the_connection_s_own_encoding():
    listener = Listener(format=AudioFormat("pcm_s16le", 16000))
    listener.say("uno")
    await listener.clock.advance(2.0)
    assert {block.format for _, block in listener.audio} == {AudioFormat("pcm_s16le", 16000)}
    assert listener.seconds == pytest.approx(1.0, abs=0.02)
    listener.lane.close()


async def test_the_listener_s_voice_stops_the_speech(listener):
    listener.say("uno dos tres", segment="seg_1")
    listener.say("cuatro", segment="seg_2")
    await listener.clock.advance(1.0)
    listener.voiced(0.0)
    listener.voiced(0.2)
    before = len(listener.audio)
    await listener.clock.advance(0.2)
    assert len(listener.audio) == before
    assert listener.cleared == []
    listener.voiced(0.4)
    await listener.clock.advance(5.0)
    assert len(listener.audio) == before
    assert [(each.segment_id, each.reason) for each in listener.cleared] == [(None, "barge_in")]
    assert listener.interrupted == ["seg_1", "seg_2"]


async def test_a_clear_names_the_segment_if_there_is_only_one(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(1.0)
    listener.voiced(0.4)
    assert [each.segment_id for each in listener.cleared] == ["seg_1"]


async def test_a_short_sound_of_the_listener_holds_the_speech_and_nothing_is_lost(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(1.0)
    before = listener.seconds
    for _ in range(3):
        listener.voiced(0.3)
        await listener.clock.advance(0.1)
    assert listener.seconds == before
    listener.voiced(0.0)
    await listener.clock.advance(4.0)
    assert listener.cleared == []
    assert listener.interrupted == []
    assert listener.seconds == pytest.approx(3.0, abs=0.05)


async def test_speech_that_comes_while_the_listener_talks_waits_for_a_pause(listener):
    listener.voiced(0.6)
    listener.say("uno")
    for _ in range(10):
        listener.voiced(0.7)
        await listener.clock.advance(0.1)
    assert listener.audio == []
    listener.voiced(0.0)
    await listener.clock.advance(2.0)
    assert listener.seconds == pytest.approx(1.0, abs=0.05)
    assert listener.cleared == []


async def test_a_listener_who_never_pauses_is_spoken_to_in_the_end(listener):
    listener.voiced(0.6)
    listener.say("uno")
    for tenth in range(round(10 * (LONGEST_WAIT + 3))):
        listener.voiced(0.7 + tenth / 10)
        await listener.clock.advance(0.1)
    assert listener.seconds == pytest.approx(1.0, abs=0.05)
    assert listener.cleared == []


async def test_the_echo_of_the_speech_does_not_interrupt_it(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(1.5)
    played = np.concatenate([decode(b.payload, "mulaw") for _, b in listener.audio])
    # 200 ms later and 12 dB down, as it comes back from a speaker-phone.
    start, end = round((listener.now - 0.5) * RATE), round((listener.now - 0.2) * RATE)
    echo = np.asarray(played[start:end] * 0.25, dtype=np.int16)
    clip = Clip(listener.now - 0.3, echo, RATE)
    for _ in range(5):
        listener.lane.listen(Voice(0.6, lambda _: clip))
    await listener.clock.advance(3.0)
    assert listener.cleared == []
    assert listener.seconds == pytest.approx(3.0, abs=0.05)


async def test_without_barge_in_the_speech_goes_on(listener):
    listener = Listener(barge_in=False)
    listener.say("uno dos")
    await listener.clock.advance(0.5)
    listener.voiced(1.0)
    await listener.clock.advance(3.0)
    assert listener.seconds == pytest.approx(2.0, abs=0.05)
    listener.lane.close()


async def test_a_paused_lane_goes_on_where_it_was(listener):
    listener.say("uno dos")
    await listener.clock.advance(0.5)
    listener.lane.pause(True)
    before = listener.seconds
    await listener.clock.advance(3.0)
    assert listener.seconds == before
    listener.lane.pause(False)
    await listener.clock.advance(3.0)
    assert listener.seconds == pytest.approx(2.0, abs=0.05)


async def test_at_the_end_of_the_call_the_sentence_being_spoken_is_finished(listener):
    finished = []
    listener.say("uno dos tres", segment="seg_1")
    listener.say("cuatro", segment="seg_2")
    await listener.clock.advance(1.0)
    listener.lane.finish(lambda: finished.append(listener.now))
    listener.say("cinco", segment="seg_3")
    await listener.clock.advance(4.0)
    assert listener.seconds == pytest.approx(3.0, abs=0.05)
    assert listener.audio[-1][1].last
    assert listener.interrupted == ["seg_2"]
    assert listener.cleared == []
    assert [round(at) for at in finished] == [3]  # once it has been heard


async def test_at_the_end_a_clause_that_is_still_being_made_belongs_to_the_sentence(listener):
    listener.say("uno", segment="seg_1", last=False)
    await listener.clock.advance(0.9)  # sent whole, and not heard whole
    listener.voices.gate.clear()
    listener.say("dos", segment="seg_1", last=True)
    await listener.clock.advance(0.05)
    listener.lane.finish(lambda: None)
    listener.voices.gate.set()
    await listener.clock.advance(3.0)
    assert listener.seconds == pytest.approx(2.0, abs=0.05)
    assert listener.audio[-1][1].last
    assert listener.interrupted == []


async def test_at_the_end_a_sentence_whose_clauses_come_too_late_is_interrupted(listener):
    listener.say("uno", segment="seg_1", last=False)
    await listener.clock.advance(0.5)
    listener.lane.finish(lambda: None)
    listener.say("dos", segment="seg_1", last=True)
    await listener.clock.advance(3.0)
    assert listener.seconds == pytest.approx(1.0, abs=0.05)
    assert listener.interrupted == ["seg_1"]


async def test_a_long_sentence_is_cut_off_some_seconds_after_the_end_of_the_call(listener):
    finished = []
    listener.say("una frase que tiene diez palabras y dura diez segundos")
    await listener.clock.advance(1.0)
    listener.lane.finish(lambda: finished.append(listener.now))
    await listener.clock.advance(10.0)
    assert listener.seconds == pytest.approx(1.0 + SENTENCE_WITHIN + AHEAD, abs=0.2)
    assert [each.reason for each in listener.cleared] == ["ended"]
    assert listener.interrupted == ["seg_1"]
    assert len(finished) == 1


async def test_at_the_end_of_the_call_nothing_begins_to_be_spoken(listener):
    finished = []
    listener.voices.gate.clear()
    listener.say("uno")
    await listener.clock.advance(0.5)
    listener.lane.finish(lambda: finished.append(True))
    listener.voices.gate.set()
    await listener.clock.advance(2.0)
    assert listener.audio == []
    assert finished == [True]


async def test_words_that_are_understood_are_heard_as_they_were_said(listener):
    said = speech(1.0)
    listener.lane.add(WordsToPassOn("seg_1", "agent", RATE, encode(said, "mulaw"), 0.0))
    await listener.clock.advance(2.0)
    assert all(block.original for _, block in listener.audio)
    assert b"".join(block.payload for _, block in listener.audio) == encode(said, "mulaw")
    assert listener.heard == []


async def test_the_other_party_s_voice_passes_at_once_while_nothing_is_spoken(listener):
    frame = PlacedFrame("agent", MULAW, encode(speech(0.1), "mulaw"), 0.0, 0.1)
    listener.lane.pass_on(frame)
    [(at, block)] = listener.audio
    assert (at, block.payload, block.original, block.segment_id) == (0.0, frame.payload, True, None)


async def test_nobody_interrupts_a_voice_that_is_passed_on(listener):
    frame = PlacedFrame("agent", MULAW, encode(speech(0.1), "mulaw"), 0.0, 0.1)
    for tenth in range(10):
        listener.lane.pass_on(frame)
        listener.voiced(tenth / 10)
        await listener.clock.advance(0.1)
    assert listener.cleared == []
    assert listener.seconds == pytest.approx(1.0)


async def test_a_voice_that_comes_while_something_is_spoken_is_heard_after_it(listener):
    listener.say("uno")
    await listener.clock.advance(0.1)
    said = speech(0.5)
    for start in range(0, len(said), 800):
        payload = encode(said[start : start + 800], "mulaw")
        listener.lane.pass_on(PlacedFrame("agent", MULAW, payload, start / RATE, 0.1))
        await listener.clock.advance(0.1)
    silent = PlacedFrame("agent", MULAW, encode(np.zeros(800, np.int16), "mulaw"), 0.5, 0.1)
    for _ in range(20):
        listener.lane.pass_on(silent)
        await listener.clock.advance(0.1)
    originals = [block for _, block in listener.audio if block.original]
    passed = b"".join(block.payload for block in originals)
    assert passed.startswith(encode(said, "mulaw"))
    assert [block.original for _, block in listener.audio].index(True) >= 9
    listener.lane.pass_on(silent)
    assert listener.audio[-1][1].payload == silent.payload  # it has caught up


async def test_speech_is_not_held_for_a_listener_whose_audio_stops(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(1.0)
    listener.voiced(0.0)
    listener.voiced(0.3)
    await listener.clock.advance(4.0)
    assert listener.seconds == pytest.approx(3.0, abs=0.05)


async def test_the_original_is_heard_beneath_the_speech():
    listener = Listener(original_volume=0.5)
    listener.say("uno")
    await listener.clock.advance(0.05)
    plain = len(listener.audio)
    original = np.full(800, 8000, np.int16)
    listener.lane.pass_on_beneath(PlacedFrame("agent", MULAW, encode(original, "mulaw"), 0, 0.1))
    await listener.clock.advance(2.0)
    mixed = decode(listener.audio[plain][1].payload, "mulaw").astype(float)
    assert mixed.mean() == pytest.approx(4000, rel=0.15)
    assert abs(decode(listener.audio[-1][1].payload, "mulaw").astype(float).mean()) < 500
    listener.lane.close()


async def test_a_voice_that_cannot_be_made_is_told_once_and_the_next_sentence_is_spoken(listener):
    listener.voices.errors = [EngineUnavailable("down"), EngineUnavailable("down")]
    listener.say("uno", segment="seg_1")
    listener.say("dos", segment="seg_2")
    listener.say("tres", segment="seg_3")
    await listener.clock.advance(3.0)
    assert [each.code for each in listener.warnings] == ["speech_unavailable"]
    assert {block.segment_id for _, block in listener.audio} == {"seg_3"}


async def test_what_waits_is_bounded_and_the_oldest_unheard_gives_way(listener):
    for number in range(60):
        listener.say("una frase de cinco palabras", segment=f"seg_{number:02}")
    assert listener.lane._waiting <= LONGEST_QUEUE
    assert [each.code for each in listener.warnings] == ["speech_dropped"]
    await listener.clock.advance(200.0)
    spoken = sorted({block.segment_id for _, block in listener.audio})
    assert spoken[0] == "seg_00"
    assert spoken[-1] == "seg_59"
    assert set(listener.interrupted).isdisjoint(spoken)
    assert len(spoken) + len(listener.interrupted) == 60


async def test_what_comes_after_much_waiting_speech_is_spoken_faster(listener):
    listener.say("una frase que tiene diez palabras y dura diez segundos", segment="seg_1")
    listener.say("otra frase de cinco palabras", segment="seg_2")
    await listener.clock.advance(30.0)
    samples = {"seg_1": 0, "seg_2": 0}
    for _, block in listener.audio:
        samples[block.segment_id] += len(block.payload)
    assert samples["seg_1"] / RATE == pytest.approx(10.0, abs=0.05)
    assert samples["seg_2"] / RATE == pytest.approx(5.0 / FASTEST, abs=0.05)
    assert listener.audio[-1][1].last


async def test_what_is_heard_has_its_place_on_the_session_s_timeline(listener):
    await listener.clock.advance(3.0)
    listener.say("uno")
    await listener.clock.advance(3.0)
    assert listener.heard[0].start == pytest.approx(3.0)
    assert listener.heard[-1].end == pytest.approx(4.0, abs=0.05)
    for before, after in zip(listener.heard, listener.heard[1:], strict=False):
        assert after.start == pytest.approx(before.end, abs=1e-6)
    assert pytest.approx(listener.heard[0].duration) == BLOCK


def heard_seconds(listener):
    return sum(frame.duration for frame in listener.heard)


async def test_speech_that_was_sent_ahead_is_not_heard_yet(listener):
    listener.say("uno dos")
    await listener.clock.advance(0.25)
    assert heard_seconds(listener) == pytest.approx(0.2)
    assert listener.seconds > 0.4
    await listener.clock.advance(3.0)
    assert heard_seconds(listener) == pytest.approx(listener.seconds)
    assert {frame.segment_id for frame in listener.heard} == {"seg_1"}


async def test_interrupted_speech_was_heard_until_it_was_cut(listener):
    listener.say("uno dos")
    await listener.clock.advance(1.04)
    listener.voiced(0.4)
    assert [each.reason for each in listener.cleared] == ["barge_in"]
    assert listener.heard[-1].end == pytest.approx(1.04, abs=1 / RATE)
    assert len(listener.heard[-1].payload) == pytest.approx(0.04 * RATE, abs=1)
    await listener.clock.advance(1.0)
    listener.voiced(0.0)
    listener.say("tres", segment="seg_2")
    await listener.clock.advance(2.0)
    later = [frame for frame in listener.heard if frame.segment_id == "seg_2"]
    assert later[0].start == pytest.approx(2.04)
    assert heard_seconds(listener) == pytest.approx(2.04, abs=0.05)


# --- what the client reports to have played -------------------------------------------------------


def report(listener, number=-1, segment=None):
    """The client has played up to that block."""
    block = listener.audio[number][1]
    return listener.lane.output.played(segment or block.segment_id, block.sequence)


async def report_late(listener, late, seconds):
    """For so long, as a client that plays each block ``late`` seconds after it is due."""
    until = listener.now + seconds
    reported = 0
    while listener.now < until - 1e-6:
        await listener.clock.advance(0.02)
        while reported < len(listener.audio) and (reported + 1) * BLOCK + late <= listener.now:
            assert report(listener, reported)
            reported += 1


@pytest.mark.parametrize("late", [0.0, 0.14, 0.5])
async def test_interrupted_speech_was_heard_as_far_as_the_client_plays(listener, late):
    listener.say("uno dos tres")
    await report_late(listener, late, 1.5)
    assert listener.lane.heard("seg_1") == pytest.approx(1.5 - late, abs=0.03)
    listener.voiced(0.4)
    assert heard_seconds(listener) == pytest.approx(1.5 - late, abs=0.03)
    assert listener.lane.heard("seg_1") == pytest.approx(1.5 - late, abs=0.03)
    assert listener.interrupted == ["seg_1"]


async def test_a_client_that_reports_nothing_has_heard_what_the_pace_says(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(1.04)
    assert listener.lane.heard("seg_1") == pytest.approx(1.04)
    assert listener.lane.heard("seg_2") == 0
    await listener.clock.advance(5.0)
    assert listener.lane.heard("seg_1") == pytest.approx(3.0, abs=0.05)


async def test_a_client_cannot_have_played_what_it_has_only_been_sent(listener):
    listener.say("uno dos")
    await listener.clock.advance(0.25)
    assert report(listener)
    assert listener.lane.heard("seg_1") == pytest.approx(0.25)


async def test_speech_that_a_late_client_still_plays_can_be_interrupted(listener):
    listener.say("uno")
    await report_late(listener, 0.5, 1.2)
    assert listener.lane.is_speaking
    listener.voiced(0.4)
    assert [(each.segment_id, each.reason) for each in listener.cleared] == [("seg_1", "barge_in")]
    assert listener.interrupted == ["seg_1"]
    assert listener.lane.heard("seg_1") == pytest.approx(0.7, abs=0.03)


async def test_what_a_client_reports_of_dropped_speech_changes_nothing(listener):
    """As Twilio, which returns the marks of what it drops."""
    listener.say("uno dos tres")
    await report_late(listener, 0.3, 1.0)
    listener.voiced(0.4)
    before = listener.lane.heard("seg_1")
    assert report(listener)
    await listener.clock.advance(3.0)
    assert listener.lane.heard("seg_1") == before == pytest.approx(0.7, abs=0.03)


async def test_a_report_of_what_was_not_sent_is_refused(listener):
    assert not listener.lane.output.played("seg_1", 0)
    listener.say("uno")
    await listener.clock.advance(0.1)
    last = listener.audio[-1][1].sequence
    assert not listener.lane.output.played("seg_1", last + 1)
    assert not report(listener, segment="seg_2")
    assert report(listener)


async def test_a_client_that_stops_reporting_has_heard_everything_in_the_end(listener):
    listener.say("uno dos tres")
    await report_late(listener, 60.0, 1.0)
    assert report(listener, 0)  # 0.9 s late
    await listener.clock.advance(10.0)
    assert listener.lane.heard("seg_1") == pytest.approx(3.0, abs=0.05)
    assert not listener.lane.is_speaking


async def test_a_client_is_not_believed_to_be_minutes_late(listener):
    listener.say("uno dos tres")
    await listener.clock.advance(3.2)
    assert report(listener, 0)
    listener.say("cuatro", segment="seg_2")
    await listener.clock.advance(1.0 + LONGEST_LAG + 0.05)
    assert listener.lane.heard("seg_2") == pytest.approx(1.0, abs=0.05)


async def test_what_is_known_of_heard_speech_is_bounded(listener):
    for number in range(REMEMBERED + 20):
        listener.say("uno", segment=f"seg_{number}")
        await listener.clock.advance(1.2)
    assert listener.lane.heard("seg_0") == 0
    assert listener.lane.heard(f"seg_{REMEMBERED + 10}") == pytest.approx(1.0, abs=0.05)
    assert len(listener.lane.output._heard._seconds) == REMEMBERED


async def test_a_listener_that_is_gone_hears_no_more(listener):
    listener.say("uno dos")
    await listener.clock.advance(0.25)
    listener.lane.close()
    await listener.clock.advance(1.0)
    assert heard_seconds(listener) == pytest.approx(0.25, abs=1 / RATE)


async def test_speech_stays_unbroken_while_the_timeline_runs_faster_than_time():
    """As with ``clock=media``, where the timeline is as late as the audio that has come."""
    clock = VirtualClock()
    heard: list[PlacedFrame] = []
    began = clock.time()
    output = PacedOutput(
        send=lambda message: None,
        format=lambda: MULAW,
        clock=clock,
        now=lambda: 4 * (clock.time() - began),
        heard=heard.append,
    )

    def play():
        output.play(speech(BLOCK), segment_id="seg_1", speaker="agent", last=False, original=False)

    for _ in range(3):
        play()
        await clock.advance(BLOCK)
    assert [frame.start for frame in heard] == pytest.approx([0.0, 0.1, 0.2])
    await clock.advance(1.0)
    play()
    await clock.advance(BLOCK)
    assert heard[-1].start == pytest.approx(4 * 1.3)
