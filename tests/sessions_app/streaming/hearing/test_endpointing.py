"""Where utterances begin and end. All on media time: no clock, no waiting."""

import numpy as np
import pytest

from sessions_app import media
from sessions_app.media import AudioFormat
from sessions_app.streaming.hearing import turns
from sessions_app.streaming.hearing.endpointing import (
    LONGEST_UTTERANCE,
    Endpointer,
    EndpointEvent,
    SilenceBegan,
    SpeechResumed,
    UtteranceClosed,
    UtteranceOpened,
)
from tests.fakes.audio import frames, noise, silence, speech


def hear(endpointer, *clips, **options):
    return [event for frame in frames(*clips, **options) for event in endpointer.feed(frame)]


def only(events, kind):
    return [event for event in events if isinstance(event, kind)]


def names(events):
    return [type(event).__name__ for event in events]


class TestOneUtterance:
    def test_opens_pauses_and_closes_around_speech(self):
        events = hear(Endpointer(), silence(1), speech(2), silence(1))
        assert names(events) == ["UtteranceOpened", "SilenceBegan", "UtteranceClosed"]
        opened, silence_began, closed = events
        assert opened.start == pytest.approx(1.0, abs=0.1)
        assert silence_began.at == pytest.approx(3.0, abs=0.15)
        assert closed.start == opened.start
        assert closed.end == pytest.approx(3.0, abs=0.15)

    def test_its_audio_has_a_margin_on_both_sides(self):
        [closed] = only(hear(Endpointer(), noise(1, 20), speech(2), noise(1, 20)), UtteranceClosed)
        seconds = len(closed.audio) / closed.sample_rate
        assert seconds == pytest.approx(closed.end - closed.start + 0.25 + 0.2, abs=0.07)
        loud = np.flatnonzero(np.abs(closed.audio) > 500) / closed.sample_rate
        assert 0.15 < loud[0] < 0.4

    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
    def test_is_found_at_every_rate(self, rate):
        events = hear(
            Endpointer(),
            silence(1, rate),
            speech(1.5, rate),
            silence(1, rate),
            format=AudioFormat("pcm_s16le", rate),
        )
        [closed] = only(events, UtteranceClosed)
        assert closed.start == pytest.approx(1.0, abs=0.1)
        assert closed.end == pytest.approx(2.5, abs=0.15)
        assert closed.sample_rate in (8000, 16000)

    @pytest.mark.parametrize("length", [0.01, 0.02, 0.033, 0.1, 0.5, 3.5])
    def test_does_not_depend_on_how_audio_is_cut_into_frames(self, length):
        clips = (silence(1), speech(1.5), silence(1))
        [closed] = only(hear(Endpointer(), *clips, length=length), UtteranceClosed)
        [expected] = only(hear(Endpointer(), *clips, length=0.03), UtteranceClosed)
        assert closed.start == pytest.approx(expected.start, abs=0.031)
        assert closed.end == pytest.approx(expected.end, abs=0.031)

    def test_two_sentences_a_second_apart_are_two_utterances(self):
        events = hear(Endpointer(), speech(1), silence(1), speech(1), silence(1))
        assert len(only(events, UtteranceClosed)) == 2

    def test_a_short_breath_does_not_close_it(self):
        events = hear(Endpointer(), speech(1), silence(0.3), speech(1), silence(1))
        assert names(events) == [
            "UtteranceOpened",
            "SilenceBegan",
            "SpeechResumed",
            "SilenceBegan",
            "UtteranceClosed",
        ]
        assert only(events, SpeechResumed)[0].at == pytest.approx(1.36, abs=0.15)


class TestWhatIsNotSpeech:
    @pytest.mark.parametrize("rms", [0, 20, 100, 300])
    def test_steady_line_noise_opens_nothing(self, rms):
        assert hear(Endpointer(), noise(20, rms)) == []

    def test_a_click_opens_nothing(self):
        click = silence(0.01) + 20000
        assert hear(Endpointer(), silence(1), click.astype(np.int16), silence(1)) == []

    def test_a_click_does_not_hold_an_utterance_open(self):
        click = (silence(0.01) + 20000).astype(np.int16)
        events = hear(Endpointer(), speech(1), silence(0.3), click, silence(0.4))
        assert only(events, UtteranceClosed)[0].end == pytest.approx(1.0, abs=0.15)

    def test_speech_over_line_noise_is_still_heard_and_ends(self):
        voice = speech(2)
        noisy = np.concatenate([silence(5), voice, silence(2)]) + noise(9, 100)
        events = hear(Endpointer(), noisy.astype(np.int16))
        [closed] = only(events, UtteranceClosed)
        assert (closed.start, closed.end) == pytest.approx((5, 7), abs=0.25)

    def test_quiet_speech_on_a_quiet_line_is_heard(self):
        events = hear(Endpointer(), noise(2, 5), speech(1, level=800), noise(1, 5))
        assert len(only(events, UtteranceClosed)) == 1


class TestPatience:
    def test_more_patience_joins_what_is_spelled_out(self):
        endpointer = Endpointer()
        events: list[EndpointEvent] = []
        for frame in frames(speech(1), silence(1.2), speech(1), silence(3)):
            heard = endpointer.feed(frame)
            if only(heard, SilenceBegan):
                endpointer.delay = turns.DICTATING
            events.extend(heard)
        assert len(only(events, UtteranceClosed)) == 1

    def test_less_patience_closes_at_once_when_polled(self):
        endpointer = Endpointer()
        events = hear(endpointer, speech(1), silence(0.45))
        assert not only(events, UtteranceClosed)
        endpointer.delay = turns.FINISHED
        [closed] = endpointer.poll()
        assert closed.end == pytest.approx(1.0, abs=0.15)

    def test_no_patience_is_longer_than_the_cap(self):
        endpointer = Endpointer()
        hear(endpointer, speech(1), silence(0.2))
        endpointer.delay = 60
        assert only(hear(endpointer, silence(2.5), start=1.2), UtteranceClosed)

    def test_a_long_utterance_takes_shorter_pauses(self):
        events = hear(Endpointer(), speech(25), silence(0.35), speech(1), silence(1))
        assert len(only(events, UtteranceClosed)) == 2

    def test_long_frames_make_the_wait_no_longer_on_average(self):
        waits = []
        for shift in range(0, 100, 10):  # milliseconds from a frame's beginning to the silence
            endpointer = Endpointer()
            for frame in frames(speech(1 + shift / 1000), silence(2), length=0.1):
                heard = endpointer.feed(frame)
                if only(heard, SilenceBegan):
                    endpointer.delay = 0.4
                if closed := only(heard, UtteranceClosed):
                    waits.append(frame.end - closed[0].end)
        assert len(waits) == 10
        # The detector's windows of 30 ms add their own half.
        assert np.mean(waits) == pytest.approx(0.4 + 0.015, abs=0.03)


class TestLength:
    def test_unbroken_speech_is_cut_at_its_quietest_moment(self):
        voice = speech(40)
        voice[25 * 8000 : round(25.1 * 8000)] //= 20
        events = hear(Endpointer(), voice, silence(1))
        first, second = only(events, UtteranceClosed)
        assert first.cut
        assert first.end == pytest.approx(25.05, abs=0.1)
        assert second.start == first.end
        assert len(first.audio) / 8000 <= LONGEST_UTTERANCE
        assert only(events, UtteranceOpened)[1].continued

    def test_a_cut_loses_and_repeats_nothing(self):
        voice = speech(60)
        closed = only(hear(Endpointer(), voice, silence(1)), UtteranceClosed)
        heard = np.concatenate([each.audio for each in closed])
        first = round((60.2 - len(heard) / 8000) * 8000)
        spoken = media.decode(media.encode(voice, "mulaw"), "mulaw")
        offsets = [
            offset
            for offset in range(max(0, first - 1600), first + 1600)
            if np.array_equal(heard[: 50 * 8000], spoken[offset : offset + 50 * 8000])
        ]
        assert len(closed) == 3
        assert len(offsets) == 1


class TestGapsAndChanges:
    def test_a_gap_in_the_audio_is_silence(self):
        endpointer = Endpointer()
        events = hear(endpointer, speech(1))
        events += hear(endpointer, speech(1), start=4.0)
        events += endpointer.flush()
        first, second = only(events, UtteranceClosed)
        assert first.end == pytest.approx(1.0, abs=0.15)
        assert second.start == pytest.approx(4.0, abs=0.1)

    def test_a_gap_of_hours_costs_nothing(self):
        endpointer = Endpointer()
        hear(endpointer, speech(1))
        [closed, *_] = only(hear(endpointer, speech(1), start=80_000.0), UtteranceClosed)
        assert len(closed.audio) < 2 * 8000

    def test_a_short_gap_does_not_close(self):
        endpointer = Endpointer()
        events = hear(endpointer, speech(1)) + hear(endpointer, speech(1), start=1.1)
        assert not only(events, UtteranceClosed)

    def test_a_change_of_rate_closes_and_goes_on(self):
        endpointer = Endpointer()
        events = hear(endpointer, speech(1))
        wide = AudioFormat("pcm_s16le", 16000)
        events += hear(endpointer, speech(1, 16000), start=1.0, format=wide)
        events += endpointer.flush()
        rates = [each.sample_rate for each in only(events, UtteranceClosed)]
        assert rates == [8000, 16000]

    def test_flushing_closes_what_is_open(self):
        endpointer = Endpointer()
        hear(endpointer, speech(1))
        [closed] = endpointer.flush()
        assert closed.end == pytest.approx(1.0, abs=0.1)
        assert not endpointer.is_open

    def test_what_is_discarded_is_never_heard_again(self):
        endpointer = Endpointer()
        hear(endpointer, speech(1, level=20000))
        endpointer.discard()
        events = hear(endpointer, speech(1, level=4000), silence(1), start=1.0)
        [closed] = only(events, UtteranceClosed)
        assert np.abs(closed.audio).max() < 5000
