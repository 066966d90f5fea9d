"""Where utterances begin and end. On media time: without a clock and without waiting."""

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


def feed(endpointer, *clips, **options):
    return [event for frame in frames(*clips, **options) for event in endpointer.feed(frame)]


def only(events, kind):
    return [event for event in events if isinstance(event, kind)]


def names(events):
    return [type(event).__name__ for event in events]


class TestOneUtterance:
    def test_begins_pauses_and_ends_with_speech(self):
        events = feed(Endpointer(), silence(1), speech(2), silence(1))
        assert names(events) == ["UtteranceOpened", "SilenceBegan", "UtteranceClosed"]
        opened, silence_began, closed = events
        assert opened.start == pytest.approx(1.0, abs=0.1)
        assert silence_began.at == pytest.approx(3.0, abs=0.15)
        assert closed.start == opened.start
        assert closed.end == pytest.approx(3.0, abs=0.15)

    def test_its_audio_has_a_margin_on_both_sides(self):
        [closed] = only(feed(Endpointer(), noise(1, 20), speech(2), noise(1, 20)), UtteranceClosed)
        seconds = len(closed.audio) / closed.sample_rate
        assert seconds == pytest.approx(closed.end - closed.start + 0.25 + 0.2, abs=0.07)
        loud = np.flatnonzero(np.abs(closed.audio) > 500) / closed.sample_rate
        assert 0.15 < loud[0] < 0.4

    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
    def test_is_found_at_every_rate(self, rate):
        events = feed(
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
        [closed] = only(feed(Endpointer(), *clips, length=length), UtteranceClosed)
        [expected] = only(feed(Endpointer(), *clips, length=0.03), UtteranceClosed)
        assert closed.start == pytest.approx(expected.start, abs=0.031)
        assert closed.end == pytest.approx(expected.end, abs=0.031)

    def test_two_sentences_a_second_apart_are_two_utterances(self):
        events = feed(Endpointer(), speech(1), silence(1), speech(1), silence(1))
        assert len(only(events, UtteranceClosed)) == 2

    def test_a_short_breath_does_not_close_it(self):
        events = feed(Endpointer(), speech(1), silence(0.3), speech(1), silence(1))
        assert names(events) == [
            "UtteranceOpened",
            "SilenceBegan",
            "SpeechResumed",
            "SilenceBegan",
            "UtteranceClosed",
        ]
        assert only(events, SpeechResumed)[0].at == pytest.approx(1.36, abs=0.15)


class TestNoSpeech:
    @pytest.mark.parametrize("rms", [0, 20, 100, 300])
    def test_steady_line_noise_is_no_utterance(self, rms):
        assert feed(Endpointer(), noise(20, rms)) == []

    def test_a_click_is_no_utterance(self):
        click = silence(0.01) + 20000
        assert feed(Endpointer(), silence(1), click.astype(np.int16), silence(1)) == []

    def test_a_click_does_not_extend_an_utterance(self):
        click = (silence(0.01) + 20000).astype(np.int16)
        events = feed(Endpointer(), speech(1), silence(0.3), click, silence(0.4))
        assert only(events, UtteranceClosed)[0].end == pytest.approx(1.0, abs=0.15)

    def test_speech_over_line_noise_is_found_and_ends(self):
        voice = speech(2)
        noisy = np.concatenate([silence(5), voice, silence(2)]) + noise(9, 100)
        events = feed(Endpointer(), noisy.astype(np.int16))
        [closed] = only(events, UtteranceClosed)
        assert (closed.start, closed.end) == pytest.approx((5, 7), abs=0.25)

    def test_quiet_speech_on_a_quiet_line_is_found(self):
        events = feed(Endpointer(), noise(2, 5), speech(1, level=800), noise(1, 5))
        assert len(only(events, UtteranceClosed)) == 1


class TestDelay:
    def test_a_longer_delay_joins_dictated_parts(self):
        endpointer = Endpointer()
        events: list[EndpointEvent] = []
        for frame in frames(speech(1), silence(1.2), speech(1), silence(3)):
            heard = endpointer.feed(frame)
            if only(heard, SilenceBegan):
                endpointer.delay = turns.DICTATING
            events.extend(heard)
        assert len(only(events, UtteranceClosed)) == 1

    def test_a_shorter_delay_closes_at_once_when_polled(self):
        endpointer = Endpointer()
        events = feed(endpointer, speech(1), silence(0.45))
        assert not only(events, UtteranceClosed)
        endpointer.delay = turns.FINISHED
        [closed] = endpointer.poll()
        assert closed.end == pytest.approx(1.0, abs=0.15)

    def test_no_delay_is_longer_than_the_limit(self):
        endpointer = Endpointer()
        feed(endpointer, speech(1), silence(0.2))
        endpointer.delay = 60
        assert only(feed(endpointer, silence(2.5), start=1.2), UtteranceClosed)

    def test_a_long_utterance_ends_in_a_shorter_pause(self):
        events = feed(Endpointer(), speech(25), silence(0.35), speech(1), silence(1))
        assert len(only(events, UtteranceClosed)) == 2

    def test_long_frames_do_not_lengthen_the_average_delay(self):
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
        events = feed(Endpointer(), voice, silence(1))
        first, second = only(events, UtteranceClosed)
        assert first.cut
        assert first.end == pytest.approx(25.05, abs=0.1)
        assert second.start == first.end
        assert len(first.audio) / 8000 <= LONGEST_UTTERANCE
        assert only(events, UtteranceOpened)[1].continued

    def test_a_cut_loses_and_repeats_nothing(self):
        voice = speech(60)
        closed = only(feed(Endpointer(), voice, silence(1)), UtteranceClosed)
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
        events = feed(endpointer, speech(1))
        events += feed(endpointer, speech(1), start=4.0)
        events += endpointer.flush()
        first, second = only(events, UtteranceClosed)
        assert first.end == pytest.approx(1.0, abs=0.15)
        assert second.start == pytest.approx(4.0, abs=0.1)

    def test_a_gap_of_hours_adds_no_audio(self):
        endpointer = Endpointer()
        feed(endpointer, speech(1))
        [closed, *_] = only(feed(endpointer, speech(1), start=80_000.0), UtteranceClosed)
        assert len(closed.audio) < 2 * 8000

    def test_a_short_gap_does_not_end_an_utterance(self):
        endpointer = Endpointer()
        events = feed(endpointer, speech(1)) + feed(endpointer, speech(1), start=1.1)
        assert not only(events, UtteranceClosed)

    def test_a_change_of_rate_ends_the_utterance_and_begins_the_next(self):
        endpointer = Endpointer()
        events = feed(endpointer, speech(1))
        wide = AudioFormat("pcm_s16le", 16000)
        events += feed(endpointer, speech(1, 16000), start=1.0, format=wide)
        events += endpointer.flush()
        rates = [each.sample_rate for each in only(events, UtteranceClosed)]
        assert rates == [8000, 16000]

    def test_flushing_closes_the_open_utterance(self):
        endpointer = Endpointer()
        feed(endpointer, speech(1))
        [closed] = endpointer.flush()
        assert closed.end == pytest.approx(1.0, abs=0.1)
        assert not endpointer.is_open

    def test_discarded_audio_is_in_no_later_utterance(self):
        endpointer = Endpointer()
        feed(endpointer, speech(1, level=20000))
        endpointer.discard()
        events = feed(endpointer, speech(1, level=4000), silence(1), start=1.0)
        [closed] = only(events, UtteranceClosed)
        assert np.abs(closed.audio).max() < 5000
