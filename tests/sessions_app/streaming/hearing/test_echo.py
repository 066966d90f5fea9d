"""The other party's voice on a speaker's line is recognized, and nobody's own words are lost."""

import numpy as np
import pytest

from sessions_app.media import Samples, decode, encode
from sessions_app.streaming.hearing.echo import KEPT, Clip, SpokenAudio, own_speech
from tests.fakes.audio import frames, noise, silence, speech
from tests.fakes.calls import Call
from tests.fakes.clock import settle

RATE = 8000


def voice(seconds: float, seed: int, level: float = 8000) -> Samples:
    """Noise through a moving band, syllable by syllable: no two are alike, as with real words."""
    generator = np.random.default_rng(seed)
    pieces = []
    for _ in range(round(seconds * 5)):
        tone = np.cumsum(2 * np.pi * generator.uniform(150, 900) / RATE * np.ones(RATE // 5))
        piece = np.sin(tone + generator.uniform(0, 6)) + 0.5 * generator.standard_normal(RATE // 5)
        pieces.append(piece * generator.uniform(0.3, 1.0))
    made = np.concatenate(pieces)
    scaled: Samples = (made * level / np.abs(made).max()).astype(np.int16)
    return scaled


def line(samples: Samples, *, delay: float = 0.12, level: float = -30.0) -> Samples:
    """What a telephone line returns of it: later, quieter, filtered, with noise, as mu-law."""
    late = np.concatenate([np.zeros(round(delay * RATE)), samples * 10 ** (level / 20)])
    response = np.zeros(160)
    response[[0, 5, 23, 60, 150]] = 1.0, -0.4, 0.3, 0.2, 0.1
    echoed = np.convolve(late, response)[: len(late)] + noise(len(late) / RATE, rms=8)
    returned: Samples = decode(encode(echoed.astype(np.int16), "mulaw"), "mulaw")
    return returned.astype(np.int16)


def spoken(samples: Samples, start: float = 0.0) -> SpokenAudio:
    audio = SpokenAudio()
    audio.add(Clip(start, samples, RATE))
    return audio


@pytest.mark.parametrize("delay", [0.0, 0.12, 0.6])
@pytest.mark.parametrize("level", [-12.0, -30.0])
def test_an_echo_holds_no_own_speech(level, delay):
    said = voice(4.0, seed=1)
    assert own_speech(Clip(0.0, line(said, delay=delay, level=level), RATE), [spoken(said)]) is None


def test_an_echo_is_recognized_while_its_original_is_still_being_spoken():
    said = voice(4.0, seed=1)
    audio = SpokenAudio(lambda: Clip(0.0, said, RATE))
    assert own_speech(Clip(0.0, line(said), RATE), [audio]) is None


def test_other_words_at_the_same_time_are_kept_whole():
    mine, theirs = voice(4.0, seed=1), voice(4.0, seed=2)
    both = (mine.astype(int) + line(theirs)[: len(mine)]).astype(np.int16)
    clip = Clip(0.0, both, RATE)
    assert own_speech(clip, [spoken(theirs)]) is clip


def test_the_same_words_a_moment_later_are_kept():
    said = voice(2.0, seed=1)
    clip = Clip(3.5, said, RATE)
    assert own_speech(clip, [spoken(said)]) is clip


def test_words_that_are_as_loud_as_the_other_party_s_are_kept():
    said = voice(2.0, seed=1)
    clip = Clip(0.1, said, RATE)
    assert own_speech(clip, [spoken(said)]) is clip


def test_of_an_echo_that_own_words_follow_only_these_are_kept():
    theirs, mine = voice(4.0, seed=1), voice(3.0, seed=2)
    clip = Clip(10.0, np.concatenate([line(theirs), mine]), RATE)
    own = own_speech(clip, [spoken(theirs, start=10.0)])
    assert own is not None
    assert 13.0 <= own.start <= 14.12
    assert own.end == pytest.approx(clip.end)


def test_other_rates_are_compared_too():
    said = voice(4.0, seed=1)
    echoed = np.repeat(line(said), 2)  # at 16 kHz
    assert own_speech(Clip(0.0, echoed, 2 * RATE), [spoken(said)]) is None


def test_speech_is_kept_for_as_long_as_an_echo_of_it_may_be_judged_and_no_longer():
    audio = SpokenAudio()
    for second in range(200):
        audio.add(Clip(second, speech(1.0), RATE))
    assert len(audio.between(199.0 - KEPT + 1, 200.0, RATE))
    assert not len(audio.between(0.0, 199.0 - KEPT - 1, RATE))


async def test_a_party_whose_line_returns_the_other_s_voice_says_nothing():
    agent = Call()
    customer = Call(clock=agent.clock, other=agent)
    said = voice(3.0, seed=1)
    echoed = line(np.concatenate([silence(0.0), said]))
    for mine, theirs in zip(frames(said, silence(2.0)), frames(echoed, silence(2.0)), strict=False):
        agent.feed(mine)
        customer.feed(theirs)
        await agent.clock.advance(0.1)
    for call in (agent, customer):
        assert await call.drain()
    assert len(agent.finals) == 1
    assert customer.finals == []
    assert [each.text for each in customer.partials][-1:] in ([], [""])
    for call in (agent, customer):
        call.pipeline.close()
    await settle()
