"""Long speech is followed from one utterance to the next, each with its own state."""

import pytest

from sessions_app.live_events import PartialTranscript
from sessions_app.streaming.speaking.long_speech import FINAL_WITHIN, LONG, LongSpeech
from tests.fakes.clock import settle

FIRST = "I wanted to ask about my invoice, because it is too high for us."
SECOND = "The new price came in a letter, and I never had any letter from you."


class Listener:
    """Hears one party, and keeps what is spoken of it early."""

    def __init__(self):
        self.spoken: list[tuple[str, str]] = []
        self.long_speech = LongSpeech(
            translate=self.translate,
            speak=lambda clause: self.spoken.append((clause.segment_id, clause.text)),
        )

    async def translate(self, partial, clause, target):
        return clause.text

    async def say(self, segment, text, *, start=0.0, end=LONG + 1, times=2):
        """The same partial some times: the second agrees with the first."""
        for _ in range(times):
            partial = PartialTranscript(segment, "agent", "en", text, start, end)
            self.long_speech.hear(partial, "en", "es")
            await settle()

    def finish(self, segment, text, end=LONG + 1):
        return self.long_speech.finish(segment, text, end)


@pytest.fixture
async def listener():
    listener = Listener()
    yield listener
    listener.long_speech.close()


async def test_an_utterance_that_goes_on_without_a_break_is_spoken_from_its_beginning(listener):
    await listener.say("seg_1", FIRST)
    listener.finish("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1.2, end=LONG + 4)
    assert listener.spoken[1:] == [("seg_2", "The new price came in a letter,")]


async def test_after_a_pause_the_talk_must_be_long_again(listener):
    await listener.say("seg_1", FIRST)
    listener.finish("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 2, end=LONG + 5)
    assert [segment for segment, _ in listener.spoken] == ["seg_1"]


async def test_partials_of_the_next_utterance_leave_what_was_spoken_before_known(listener):
    await listener.say("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1, end=2 * LONG)
    begun = listener.finish("seg_1", FIRST)
    assert begun is not None
    assert (begun.clauses, begun.rest) == (1, "because it is too high for us.")


async def test_partials_of_an_earlier_utterance_do_not_have_it_spoken_twice(listener):
    """Two connections of a party in one process: the one that was replaced has partials left."""
    await listener.say("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1, end=2 * LONG)
    await listener.say("seg_1", FIRST)
    assert listener.spoken == [("seg_1", "I wanted to ask about my invoice,")]


async def test_clauses_wait_until_the_utterance_before_has_ended(listener):
    await listener.say("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1, end=2 * LONG)
    assert [segment for segment, _ in listener.spoken] == ["seg_1"]
    listener.finish("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1, end=2 * LONG, times=1)
    assert [segment for segment, _ in listener.spoken] == ["seg_1", "seg_2"]


async def test_an_utterance_whose_final_never_comes_holds_up_nothing(listener):
    await listener.say("seg_1", FIRST)
    late = LONG + 1 + FINAL_WITHIN + 1
    await listener.say("seg_2", SECOND, start=late, end=late + LONG + 1)
    assert [segment for segment, _ in listener.spoken] == ["seg_1", "seg_2"]


async def test_words_that_turn_out_to_be_none_end_only_their_own_utterance(listener):
    await listener.say("seg_1", FIRST)
    assert listener.long_speech.withdraw("seg_2") is None
    assert listener.long_speech.withdraw("seg_1") == (1, "es")
    assert listener.finish("seg_1", FIRST) is None


async def test_a_final_that_a_later_one_has_overtaken_holds_up_nothing(listener):
    await listener.say("seg_1", FIRST)
    await listener.say("seg_2", SECOND, start=LONG + 1, end=2 * LONG, times=1)
    listener.finish("seg_2", SECOND, 2 * LONG)
    await listener.say("seg_3", SECOND, start=2 * LONG, end=3 * LONG)
    assert [segment for segment, _ in listener.spoken] == ["seg_1", "seg_3"]


async def test_what_was_spoken_of_an_overtaken_utterance_is_not_said_again(listener):
    await listener.say("seg_1", FIRST)
    listener.finish("seg_2", SECOND, 2 * LONG)
    begun = listener.finish("seg_1", FIRST)
    assert begun is not None
    assert begun.rest == "because it is too high for us."
