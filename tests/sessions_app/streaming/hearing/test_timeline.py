"""Where frames are placed: the rules of the streaming protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.media import AudioFormat, AudioFrame
from sessions_app.streaming.hearing.timeline import Timeline

ZERO = 1_700_000_000.0
MULAW = AudioFormat("mulaw", 8000)


def frame(*, at, ms=None, sequence=None, length=0.1, fill=b"\x01"):
    """``length`` seconds of mu-law that arrives ``at`` seconds after the session's zero."""
    return AudioFrame("customer", MULAW, fill * round(length * 8000), sequence, ms, ZERO + at)


def codes(placement):
    return [warning.code for warning in placement.warnings]


def place_all(timeline, frames):
    return [timeline.place(each) for each in frames]


def span(placement):
    placed = placement.frame
    return pytest.approx((placed.start, placed.end)) if placed else None


class TestAnchoring:
    def test_the_first_audio_of_a_session_is_its_zero(self):
        timeline = Timeline(zero=None)
        placement = timeline.place(frame(at=0, ms=123_456))
        assert (placement.frame.start, placement.frame.duration) == (0.0, 0.1)
        assert timeline.zero == ZERO

    def test_another_connection_is_anchored_where_its_first_frame_arrives(self):
        timeline = Timeline(zero=ZERO)
        first, second = place_all(timeline, [frame(at=7.25, ms=0), frame(at=7.35, ms=100)])
        assert first.frame.start == pytest.approx(7.25)
        assert second.frame.start == pytest.approx(7.35)

    def test_a_reconnect_is_never_placed_before_the_end_of_its_track(self):
        timeline = Timeline(zero=ZERO, position=9.0)
        assert timeline.place(frame(at=7.0, ms=0)).frame.start == 9.0

    def test_arrival_jitter_does_not_move_audio_that_has_timestamps(self):
        timeline = Timeline(zero=None)
        frames = [frame(at=0, ms=0), frame(at=0.9, ms=100), frame(at=0.91, ms=200)]
        starts = [each.frame.start for each in place_all(timeline, frames)]
        assert starts == pytest.approx([0, 0.1, 0.2])


class TestTimestamps:
    def test_a_gap_is_left_as_silence(self):
        timeline = Timeline(zero=None)
        placements = place_all(timeline, [frame(at=0, ms=500), frame(at=2, ms=2500)])
        assert placements[1].frame.start == pytest.approx(2.0)
        assert codes(placements[1]) == []

    def test_a_single_lost_frame_of_20_ms_is_a_gap(self):
        timeline = Timeline(zero=None)
        frames = [frame(at=0, ms=0, length=0.02), frame(at=0.04, ms=40, length=0.02)]
        assert place_all(timeline, frames)[1].frame.start == pytest.approx(0.04)

    def test_overlap_is_trimmed_from_the_later_frame(self):
        timeline = Timeline(zero=None)
        timeline.place(frame(at=0, ms=0))
        placed = timeline.place(frame(at=0.1, ms=60, fill=b"\x02")).frame
        assert (placed.start, placed.duration) == pytest.approx((0.1, 0.06))
        assert placed.payload == b"\x02" * 480

    def test_audio_that_overlaps_completely_is_dropped(self):
        timeline = Timeline(zero=None)
        place_all(timeline, [frame(at=0, ms=0), frame(at=0.1, ms=100)])
        assert timeline.place(frame(at=0.2, ms=50, length=0.1)).frame is None

    def test_rounding_to_milliseconds_makes_no_gaps_and_cuts_nothing(self):
        length = 1024 / 44100
        timeline = Timeline(zero=None)
        format = AudioFormat("pcm_s16le", 44100)
        payload = bytes(2048)
        for index in range(2000):
            at = index * length
            sent = AudioFrame("agent", format, payload, None, int(at * 1000), ZERO + at)
            placed = timeline.place(sent).frame
            assert placed.payload is payload
            assert placed.start == pytest.approx(at, abs=1e-6)

    def test_a_clock_that_jumps_back_gets_a_new_anchor_and_a_warning(self):
        timeline = Timeline(zero=None)
        place_all(timeline, [frame(at=0, ms=5000), frame(at=0.1, ms=5100)])
        again = timeline.place(frame(at=0.4, ms=0))
        assert again.frame.start == pytest.approx(0.4)
        assert codes(again) == ["timestamp_reset"]
        assert timeline.place(frame(at=0.5, ms=100)).frame.start == pytest.approx(0.5)

    def test_a_clock_that_jumps_far_ahead_gets_a_new_anchor_and_a_warning(self):
        timeline = Timeline(zero=None)
        timeline.place(frame(at=0, ms=0))
        jumped = timeline.place(frame(at=0.1, ms=1_700_000_000_000))
        assert jumped.frame.start == pytest.approx(0.1)
        assert codes(jumped) == ["timestamp_reset"]

    def test_a_clock_five_seconds_ahead_is_accepted(self):
        timeline = Timeline(zero=None)
        timeline.place(frame(at=0, ms=0))
        assert codes(timeline.place(frame(at=0.1, ms=5000))) == []

    def test_a_clock_at_twice_the_speed_gets_a_new_anchor_after_five_seconds(self):
        timeline = Timeline(zero=None)
        placements = [timeline.place(frame(at=n * 0.1, ms=n * 200)) for n in range(100)]
        resets = [n for n, each in enumerate(placements) if codes(each)]
        assert resets
        assert 50 <= resets[0] <= 53

    def test_a_clock_that_stands_still_loses_about_a_second_of_audio_at_most(self):
        timeline = Timeline(zero=None)
        placements = [timeline.place(frame(at=n * 0.1, ms=0)) for n in range(14)]
        assert placements[12].frame is not None
        assert codes(placements[12]) == ["timestamp_reset"]

    def test_audio_sent_faster_than_real_time_is_placed_by_its_timestamps(self):
        timeline = Timeline(zero=None)
        placements = [timeline.place(frame(at=n * 0.001, ms=n * 100)) for n in range(600)]
        assert placements[-1].frame.start == pytest.approx(59.9)
        assert not any(codes(each) for each in placements)


class TestWithoutTimestamps:
    def test_audio_is_contiguous_despite_jitter(self):
        timeline = Timeline(zero=None)
        arrivals = [0, 0.15, 0.55, 0.56, 0.57, 0.58]
        placements = [timeline.place(frame(at=at)) for at in arrivals]
        starts = [each.frame.start for each in placements]
        assert starts == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])

    def test_audio_that_arrives_half_a_second_late_leaves_a_gap(self):
        timeline = Timeline(zero=None)
        timeline.place(frame(at=0))
        assert timeline.place(frame(at=0.59)).frame.start == pytest.approx(0.1)
        assert timeline.place(frame(at=0.71)).frame.start == pytest.approx(0.71)


class TestSequence:
    def test_repeats_are_dropped_and_counted(self):
        timeline = Timeline(zero=None)
        place_all(timeline, [frame(at=0, sequence=4), frame(at=0.1, sequence=5)])
        repeat, again = place_all(timeline, [frame(at=0.2, sequence=5), frame(at=0.3, sequence=4)])
        assert (repeat.frame, again.frame) == (None, None)
        assert timeline.repeats == 2
        assert codes(repeat) == ["audio_dropped"]
        assert codes(again) == []

    def test_missing_numbers_give_a_warning_and_are_counted(self):
        timeline = Timeline(zero=None)
        timeline.place(frame(at=0, sequence=0))
        gap = timeline.place(frame(at=0.1, sequence=4))
        assert gap.frame is not None
        assert codes(gap) == ["sequence_gap"]
        assert timeline.missing == 3

    def test_counting_may_start_anywhere(self):
        assert codes(Timeline(zero=None).place(frame(at=0, sequence=77))) == []


class TestMediaClock:
    def test_a_file_sent_at_once_is_placed_by_its_timestamps(self):
        timeline = Timeline(zero=None, clock_mode="media")
        placements = [timeline.place(frame(at=0, ms=n * 1000)) for n in range(60)]
        assert placements[-1].frame.start == pytest.approx(59)
        assert not any(codes(each) for each in placements)

    def test_a_second_speaker_is_placed_by_its_timestamps_not_by_its_arrival(self):
        timeline = Timeline(zero=ZERO, clock_mode="media")
        assert timeline.place(frame(at=3, ms=500)).frame.start == pytest.approx(0.5)

    def test_timestamps_count_from_those_of_the_sessions_first_audio(self):
        first = Timeline(zero=None, clock_mode="media")
        first.place(frame(at=0, ms=40_000))
        second = Timeline(zero=ZERO, clock_mode="media", media_zero_ms=first.media_zero_ms)
        assert second.place(frame(at=1, ms=42_000)).frame.start == pytest.approx(2.0)

    def test_a_timestamp_in_unix_time_is_placed_at_its_arrival(self):
        timeline = Timeline(zero=ZERO, clock_mode="media")
        assert timeline.place(frame(at=3, ms=1_700_000_000_000)).frame.start == pytest.approx(3)

    def test_a_late_burst_without_timestamps_is_contiguous(self):
        timeline = Timeline(zero=None, clock_mode="media")
        timeline.place(frame(at=0))
        assert timeline.place(frame(at=60)).frame.start == pytest.approx(0.1)

    def test_an_impossible_jump_gets_a_new_anchor_and_a_warning(self):
        timeline = Timeline(zero=None, clock_mode="media")
        timeline.place(frame(at=0, ms=0))
        jumped = timeline.place(frame(at=0.1, ms=2**53 - 1))
        assert codes(jumped) == ["timestamp_reset"]
        assert jumped.frame.start == pytest.approx(0.1)


anything = st.tuples(
    st.one_of(st.none(), st.integers(0, 20_000), st.integers(0, 2**53 - 1)),
    st.one_of(st.none(), st.integers(0, 50)),
    st.floats(0, 20),
    st.integers(1, 4000),
)


@given(st.lists(anything, max_size=60), st.sampled_from(["arrival", "media"]), st.booleans())
def test_placed_audio_never_overlaps_and_never_goes_back(sent, mode, has_zero):
    timeline = Timeline(zero=ZERO if has_zero else None, position=1.0, clock_mode=mode)
    arrived, end = ZERO, 1.0
    for ms, sequence, wait, size in sent:
        arrived += wait
        payload = bytes(size)
        placed = timeline.place(AudioFrame("agent", MULAW, payload, sequence, ms, arrived)).frame
        if placed is None:
            continue
        assert placed.start >= end
        assert 0 < len(placed.payload) <= size
        assert placed.duration == MULAW.duration(placed.payload)
        end = placed.end
        assert timeline.position == end
        assert end <= 24 * 3600 + 20 * 60 + 30


@given(
    st.lists(st.integers(80, 4000), min_size=1, max_size=60),
    st.lists(st.floats(0, 0.4), min_size=60, max_size=60),
)
def test_audio_of_a_correct_client_is_never_trimmed(sizes, jitter):
    timeline = Timeline(zero=None)
    sent_samples = 0
    for sequence, size in enumerate(sizes):
        at = sent_samples / 8000
        sent = AudioFrame(
            "agent", MULAW, bytes(size), sequence, round(at * 1000), ZERO + at + jitter[sequence]
        )
        assert codes(timeline.place(sent)) == []
        sent_samples += size
    assert timeline.position == pytest.approx(sent_samples / 8000)
