"""Speech that is translated while it is spoken: shorter utterances, and partials more often."""

import pytest

from sessions_app.engines.base import Priority
from sessions_app.streaming.hearing.endpointing import LONGEST_UTTERANCE
from sessions_app.streaming.hearing.pipeline import PipelineOptions
from sessions_app.streaming.hearing.utterances import LONGEST_FOLLOWED
from tests.fakes.audio import silence, speech
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
