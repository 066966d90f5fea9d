from hypothesis import given
from hypothesis import strategies as st

from sessions_app.agents.turns.decision import LONGEST, SHORTEST, TurnEnd, turn_delay
from sessions_app.streaming.hearing import turns

DELAYS = st.floats(0, 5)
PROBABILITIES = st.floats(0, 1)


@given(DELAYS, DELAYS, PROBABILITIES, PROBABILITIES)
def test_the_delay_grows_with_the_words_and_with_doubt_and_is_bounded(
    one: float, other: float, sure: float, doubtful: float
) -> None:
    shorter, longer = sorted((one, other))
    doubtful, sure = sorted((sure, doubtful))
    assert turn_delay(shorter, sure) <= turn_delay(longer, sure)
    assert turn_delay(shorter, sure) <= turn_delay(shorter, doubtful)
    assert SHORTEST <= turn_delay(one, doubtful) <= LONGEST


def test_a_finished_sentence_that_sounds_finished_is_answered_soon() -> None:
    assert turn_delay(turns.FINISHED, 1.0) < 0.6
    assert turn_delay(turns.FINISHED, 0.0) > 0.9


def test_a_caller_who_dictates_gets_time_however_it_sounds() -> None:
    assert turn_delay(turns.DICTATING, 1.0) > 1.4
    assert turn_delay(turns.DICTATING, 0.0) > 1.9


def test_without_the_model_the_words_decide() -> None:
    finished, continuing = (turn_delay(delay, None) for delay in (turns.FINISHED, turns.CONTINUING))
    assert finished < 0.9 < 1.5 < continuing
    assert finished == turn_delay(turns.FINISHED, 0.5)


def test_the_turn_ends_after_the_delay() -> None:
    turn = TurnEnd()
    assert turn.at is None
    assert not turn.ended(100.0)
    turn.silence_began(10.0)
    turn.words_known(turns.FINISHED, 10.0)
    turn.judged(1.0, 10.0)
    end = 10.0 + turn_delay(turns.FINISHED, 1.0)
    assert turn.at == end
    assert not turn.ended(end - 0.01)
    assert turn.ended(end)


def test_what_was_found_for_an_earlier_silence_is_ignored() -> None:
    turn = TurnEnd()
    turn.silence_began(10.0)
    turn.speech_resumed()
    assert turn.at is None
    turn.judged(1.0, 10.0)
    turn.silence_began(11.0)
    unknown = turn.at
    turn.judged(1.0, 10.0)
    turn.words_known(turns.FINISHED, 10.0)
    assert turn.at == unknown
    turn.words_known(turns.DICTATING, 11.0)
    assert turn.at == 11.0 + turn_delay(turns.DICTATING, None)
