"""Speech that is translated while it is spoken: cut in its pauses, its words decoded once."""

import itertools

import pytest

from sessions_app.engines.base import Priority
from sessions_app.live_events import FinalTranscript, SpeechStarted, SpeechStopped
from sessions_app.streaming.hearing import utterances
from sessions_app.streaming.hearing.endpointing import LONGEST_UTTERANCE
from sessions_app.streaming.hearing.followed_speech import CUT_SEARCH
from sessions_app.streaming.hearing.followed_speech import LONGEST as LONGEST_FOLLOWED
from sessions_app.streaming.hearing.pipeline import PipelineOptions
from tests.fakes.audio import frames, silence, speech
from tests.fakes.calls import Call


def call_of(followed):
    return Call(options=PipelineOptions(wants_partials=lambda: followed))


@pytest.mark.parametrize(
    ("followed", "longest"), [(True, LONGEST_FOLLOWED), (False, LONGEST_UTTERANCE)]
)
async def test_unbroken_speech_is_cut_sooner_when_it_is_followed(followed, longest):
    call = call_of(followed)
    await call.say(speech(40), silence(1.5))
    await call.drain()
    lengths = [final.end_time - final.start_time for final in call.finals]
    assert longest * 0.7 < max(lengths) <= longest
    assert sum(lengths) == pytest.approx(40, abs=0.5)


async def test_unbroken_speech_is_not_cut_before_words_that_may_have_been_translated():
    call = call_of(True)
    await call.say(speech(11), silence(0.12), speech(7), silence(1.5))
    await call.drain()
    assert LONGEST_FOLLOWED - CUT_SEARCH <= call.finals[0].end_time <= LONGEST_FOLLOWED


async def test_a_slow_engine_is_asked_for_partials_more_often_when_speech_is_followed():
    counts = {}
    for followed in (True, False):
        call = call_of(followed)
        call.engine.delay = 1.2
        await call.say(speech(12))
        counts[followed] = len(call.engine.asked(Priority.PARTIAL))
        call.pipeline.close()
    assert counts[True] > 1.3 * counts[False]


async def test_a_short_utterance_is_asked_for_no_more_often():
    """A partial in work when the speaker stops would delay the final."""
    counts = set()
    for followed in (True, False):
        call = call_of(followed)
        call.engine.delay = 1.2
        await call.say(speech(3.5))
        counts.add(len(call.engine.asked(Priority.PARTIAL)))
        call.pipeline.close()
    assert len(counts) == 1


# --- pauses -------------------------------------------------------------------------------------

PAUSE = 0.25
"""Seconds: far too few to end an utterance."""


def sentences(count, seconds=3.0):
    """Speech with short pauses."""
    return [clip for _ in range(count) for clip in (speech(seconds), silence(PAUSE))]


def lengths(call):
    return [final.end_time - final.start_time for final in call.finals]


async def test_long_speech_is_cut_in_pauses_after_a_finished_sentence():
    call = call_of(True)
    await call.say(*sentences(6), silence(1.5))
    ends = [final.end_time for final in call.finals]
    # The first is not long speech yet when it pauses.
    assert ends == pytest.approx([6.25, 9.5, 12.75, 16.0, 19.25], abs=0.15)
    assert call.when(FinalTranscript)[:4] == pytest.approx([end + 0.4 for end in ends[:4]], abs=0.2)


async def test_the_words_of_a_piece_are_decoded_once_for_its_final():
    call = call_of(True)
    await call.say(*sentences(6), silence(1.5))
    assert not call.engine.asked(Priority.FINAL)
    assert len(call.engine.asked(Priority.SPECULATIVE)) == len(call.finals) + 1


async def test_no_more_than_three_seconds_are_decoded_for_each_second_of_long_speech():
    call = call_of(True)
    await call.say(*sentences(20), silence(1.5))
    decoded = sum(request.duration for request in call.engine.requests)
    assert decoded < 3 * call.sent


async def test_the_pieces_leave_out_no_speech():
    call = call_of(True)
    await call.say(*sentences(8), silence(1.5))
    await call.drain()
    assert sum(lengths(call)) == pytest.approx(8 * 3.0, abs=1.0)


@pytest.mark.parametrize("pause", [PAUSE, 0.45])
@pytest.mark.parametrize("delay", [0.1, 0.6])
async def test_a_piece_begins_where_speech_goes_on_after_the_pause(pause, delay):
    call = call_of(True)
    call.engine.delay = delay
    call.engine.answer = lambda request: "and then we went there"  # waits longer than ``pause``
    await call.say(*[clip for _ in range(8) for clip in (speech(5.5), silence(pause))])
    await call.say(silence(1.5))
    assert len(call.finals) > 5
    for before, after in itertools.pairwise(call.finals):
        assert after.start_time - before.end_time == pytest.approx(pause, abs=0.15)


@pytest.mark.parametrize("text", ["My number is 5 5 5.", "I wanted to say that"])
async def test_nothing_is_cut_where_more_is_likely_to_follow(text):
    call = call_of(True)
    call.engine.answer = lambda request: text
    await call.say(*sentences(4), silence(3))
    assert len(call.finals) == 1


async def test_an_unfinished_sentence_is_cut_only_in_a_longer_piece():
    call = call_of(True)
    call.engine.answer = lambda request: "and then we went there"
    await call.say(*sentences(8), silence(1.5))
    assert len(call.finals) > 2
    assert min(lengths(call)[:-1]) > 5.0


async def test_speech_that_nobody_follows_is_not_cut_in_its_pauses():
    call = call_of(False)
    await call.say(*sentences(6), silence(1.5))
    assert len(call.finals) == 1


async def test_speech_is_cut_in_a_pause_that_passed_while_a_partial_was_computed():
    call = call_of(True)
    call.engine.delay = 0.6
    await call.say(*sentences(8), silence(1.5))
    assert max(lengths(call)) < 7.0
    ends = [final.end_time % 3.25 for final in call.finals]
    assert ends == pytest.approx([3.0] * len(ends), abs=0.15)


@pytest.mark.parametrize("length", [0.02, 0.5, 2.0])
async def test_frames_of_any_length_are_cut_alike(length):
    """One long frame may hold several pauses, and the end of the utterance as well."""
    call = call_of(True)
    for placed in frames(*sentences(8), silence(2), length=length):
        call.feed(placed)
        await call.clock.advance(placed.duration)
    await call.drain()
    assert sum(lengths(call)) == pytest.approx(8 * 3.1, abs=1.2)


async def test_partials_of_long_speech_are_few_unless_it_has_no_pauses():
    counts = {}
    for name, clips in (("pauses", sentences(8)), ("none", [speech(26)])):
        call = call_of(True)
        await call.say(*clips)
        counts[name] = len(call.engine.asked(Priority.PARTIAL))
        call.pipeline.close()
    assert counts["pauses"] < 0.6 * counts["none"]


async def test_a_frame_in_which_speech_goes_on_and_ends_is_not_cut_any_more():
    call = call_of(True)
    call.engine.answer = lambda request: "and then we went there"
    await call.say(speech(5.5), silence(0.4))
    [placed] = frames(speech(0.6), silence(2.4), start=call.sent, length=3.0)
    call.feed(placed)
    await call.clock.advance(3.0)
    await call.drain()
    assert lengths(call) == pytest.approx([6.5], abs=0.15)


async def test_an_echo_that_is_cut_has_not_stopped(monkeypatch):
    monkeypatch.setattr(utterances, "own_speech", lambda clip, audible: None)
    call = call_of(True)
    await call.say(speech(20), silence(1.5))
    assert call.finals == []
    assert len(call.of(SpeechStarted)) == len(call.of(SpeechStopped)) == 1
