"""Quality numbers equal those computed by hand from the timeline."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_app.engines.local.quality import (
    measure_quality,
    silences,
    talk_ratio,
    talk_time,
    union,
)
from tests.analysis_app.engines.calls import timed


def test_talk_ratio_counts_seconds_of_speech():
    call = timed(("agent", 0, 6), ("customer", 7, 9))
    assert measure_quality(call)["talk_ratio"] == {"agent": 75, "customer": 25}


def test_overlapping_segments_of_one_speaker_count_once():
    call = timed(("agent", 0, 4), ("agent", 2, 6), ("customer", 8, 14))
    assert measure_quality(call)["talk_ratio"] == {"agent": 50, "customer": 50}


def test_a_call_without_speech_has_no_ratio_and_no_score():
    quality = measure_quality(timed())
    assert quality["talk_ratio"] == {"agent": 0, "customer": 0}
    assert quality["score"] is None
    assert quality["average_response_time"] is None


def test_a_call_in_which_one_party_is_silent_has_no_score():
    call = timed(("customer", 0, 6, "Please call me back."), ("customer", 7, 9, "Bye."))
    assert measure_quality(call)["score"] is None


@pytest.mark.parametrize(
    ("layout", "count"),
    [
        # One who yields at once is interrupted, though both speak for less than half a second.
        ([("customer", 0, 5, "I wanted to ask about my"), ("agent", 4.55, 8, "Sorry.")], 1),
        ([("customer", 0, 5, "I wanted to -"), ("agent", 4.6, 8, "Your name.")], 1),
        ([("customer", 0, 5, "The bill came twice."), ("agent", 4.55, 8, "I see it.")], 0),
        # Backchannels, both at once, and going on after an interruption.
        ([("customer", 0, 9, "It broke and then"), ("agent", 4, 4.8, "Mhm, okay.")], 0),
        ([("customer", 0, 5, "Hello there"), ("agent", 0.2, 4, "Good morning Acme")], 0),
        (
            [("agent", 0, 5, "We"), ("customer", 4, 8, "But I paid"), ("agent", 5.1, 9, "know it")],
            1,
        ),
        # One interruption in two segments counts once, two interruptions count twice.
        ([("agent", 0, 20), ("customer", 5, 7, "but why"), ("customer", 7.2, 9, "is that")], 1),
        ([("agent", 0, 20), ("customer", 5, 7, "but why"), ("customer", 12, 14, "is that")], 2),
        # After a pause in which the other begins, going on is an interruption.
        ([("agent", 0, 5), ("customer", 5.5, 12, "I have paid"), ("agent", 5.9, 8, "well")], 1),
        ([("agent", 0, 9, "One moment."), ("agent", 9, 30, "[music]"), ("customer", 20, 22)], 0),
    ],
)
def test_interruptions_equal_those_counted_by_hand(layout, count):
    assert measure_quality(timed(*layout))["interruptions"] == count


def test_a_backchannel_is_no_answer():
    call = timed(
        ("customer", 0, 4, "My phone broke last week."),
        ("agent", 4.1, 4.5, "Mhm."),
        ("customer", 4.8, 8, "And now it is gone."),
        ("agent", 11, 13, "I am sorry."),
    )
    assert measure_quality(call)["average_response_time"] == 3.0


def test_yes_after_a_question_is_an_answer():
    call = timed(
        ("customer", 0, 4, "Is my card blocked?"),
        ("agent", 6, 6.4, "Yes."),
        ("customer", 6.8, 8, "Good."),
    )
    assert measure_quality(call)["average_response_time"] == 2.0


@pytest.mark.parametrize("between", ["Okay.", "Sure, no problem, take your time.", "[music]"])
def test_a_hold_survives_what_is_said_or_played_meanwhile(between):
    call = timed(
        ("customer", 0, 2, "Where is it?"),
        ("agent", 2.5, 4, "One moment please."),
        ("customer", 4.5, 5.5, between),
        ("agent", 38.5, 41, "It is in Ghent."),
        ("customer", 41.5, 43, "Fine."),
    )
    quality = measure_quality(call)
    assert quality["dead_air_instances"] == 0
    assert quality["hold_time"] >= 33.0
    assert quality["average_response_time"] == 0.5


def test_a_silence_takes_off_points_once():
    lines = [("customer", 0, 10, "My parcel is late."), ("agent", 18, 28, "It comes on Friday.")]
    quality = measure_quality(timed(*lines))
    assert quality["average_response_time"] == 8.0
    assert quality["dead_air_instances"] == 1
    assert quality["score"] == 95


def test_a_silence_with_only_a_backchannel_in_it_counts_once():
    call = timed(
        ("agent", 0, 2, "I see the order."),
        ("customer", 8, 8.4, "Okay."),
        ("agent", 15, 18, "It left on Monday."),
    )
    assert measure_quality(call)["dead_air_instances"] == 1


def test_starting_while_the_other_party_speaks_is_an_interruption():
    call = timed(("customer", 0, 5), ("agent", 3, 8))
    assert measure_quality(call)["interruptions"] == 1


def test_a_short_overlap_is_no_interruption():
    call = timed(("customer", 0, 5), ("agent", 4.6, 8))
    assert measure_quality(call)["interruptions"] == 0


def test_speaking_into_an_earlier_long_turn_is_an_interruption():
    call = timed(("customer", 0, 20), ("customer", 2, 3), ("agent", 10, 12))
    assert measure_quality(call)["interruptions"] == 1


def test_response_time_is_how_long_the_customer_waits_on_average():
    call = timed(("customer", 0, 2), ("agent", 3, 5), ("customer", 6, 8), ("agent", 11, 12))
    assert measure_quality(call)["average_response_time"] == 2.0


def test_an_answer_that_overlaps_counts_as_no_wait():
    call = timed(("customer", 0, 2), ("agent", 1.8, 5))
    assert measure_quality(call)["average_response_time"] == 0.0


def test_an_announced_wait_is_hold_and_not_dead_air():
    call = timed(("agent", 0, 2, "One moment please."), ("agent", 32, 34), ("customer", 35, 36))
    quality = measure_quality(call)
    assert quality["hold_time"] == 30.0
    assert quality["dead_air_instances"] == 0


def test_an_unannounced_silence_is_dead_air():
    call = timed(("agent", 0, 2, "I see the order."), ("customer", 12, 14))
    quality = measure_quality(call)
    assert quality["hold_time"] == 0
    assert quality["dead_air_instances"] == 1


def test_the_longest_monologue_spans_turns_of_one_speaker():
    call = timed(("agent", 0, 2), ("customer", 3, 8), ("customer", 9, 15), ("agent", 16, 17))
    assert measure_quality(call)["longest_monologue"] == {
        "speaker": "customer",
        "duration": 12.0,
        "segment_id": "seg_1",
    }


def test_words_per_minute_counts_only_the_speakers_own_speech():
    call = timed(("agent", 0, 30, "one two three four five"), ("customer", 31, 32, "yes"))
    assert measure_quality(call)["words_per_minute"] == {"agent": 10, "customer": 60}


timelines = st.lists(
    st.tuples(
        st.sampled_from(["agent", "customer"]),
        st.floats(0, 500, allow_nan=False),
        st.floats(0.1, 30, allow_nan=False),
    ),
    max_size=30,
).map(lambda rows: sorted(((s, a, a + d) for s, a, d in rows), key=lambda row: row[1]))


@given(timelines)
def test_every_timeline_gives_numbers_within_their_ranges(rows):
    call = timed(*rows)
    quality = measure_quality(call)
    ratio = talk_ratio(call.turns)
    assert sum(ratio.values()) == (100 if rows else 0)
    assert 0 <= (quality["score"] or 0) <= 100
    assert 0 <= quality["interruptions"] < max(1, len(rows))
    assert quality["hold_time"] >= 0
    assert (quality["average_response_time"] or 0) >= 0


@given(timelines)
def test_speech_and_silence_add_up_to_the_call(rows):
    call = timed(*rows)
    speech = sum(end - start for start, end in union([(a, b) for _, a, b in rows]))
    quiet = sum(gap.length for gap in silences(call.turns))
    first = rows[0][1] if rows else 0.0
    assert speech + quiet == pytest.approx(call.duration - first, abs=1e-6)


@given(timelines)
def test_talk_time_equals_a_brute_force_count(rows):
    for speaker in ("agent", "customer"):
        edges = sorted({edge for s, a, b in rows if s == speaker for edge in (a, b)})
        counted = sum(
            right - left
            for left, right in itertools.pairwise(edges)
            if any(s == speaker and a <= left and right <= b for s, a, b in rows)
        )
        assert talk_time(timed(*rows).turns, speaker) == pytest.approx(counted, abs=1e-6)
