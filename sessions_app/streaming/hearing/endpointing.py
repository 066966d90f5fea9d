"""Endpointing: finds where utterances begin, pause, resume and end in one speaker's audio.

Works on media time, in windows of 30 ms: an energy gate over an adaptive noise floor, then WebRTC's
voice activity detector for the windows that pass the gate. A silent stream costs a few numpy calls
per frame.

``Endpointer.delay`` is the endpointing delay: the silence that ends an utterance. The pipeline sets
it from the words so far (see ``turns``).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import webrtcvad

from sessions_app.media import PlacedFrame, Resampler, Samples, decode
from sessions_app.streaming.hearing import turns

WINDOW: Final = 0.03
"""Seconds; the longest window WebRTC's detector takes."""

PRE_ROLL: Final = 0.25
"""Seconds of audio kept from before speech was detected, for soft beginnings of words."""

TAIL: Final = 0.2
"""Seconds of silence left at the end of an utterance's audio."""

SILENCE_BEGAN: Final = 0.15
"""Seconds of silence after which an utterance may be over."""

LONGEST_UTTERANCE: Final = 28.0
"""Seconds; Whisper takes 30 at a time."""

CUT_SEARCH: Final = 7.0
"""Seconds at the end of an overlong utterance in which the quietest moment is searched for."""

SHORTER_DELAY_AFTER: Final = 15 / 28
"""Share of the longest utterance after which the endpointing delay shrinks, so that it ends in a
pause."""

BURST_GAP: Final = 0.2
"""Seconds without voice that end a burst of it: see ``Endpointer.voiced``."""

MAX_FRAME_ALLOWANCE: Final = 0.05
"""Seconds. Silence is measured once per frame, so half a frame is taken off the delay: the average
wait is then the delay and not half a frame more. This is the most that is taken off."""

_DETECTOR_MODE: Final = 2  # 0…3; 3 clips soft speech, 1 lets line noise through
_OPENING_VOTES: Final = 3  # voiced windows out of the last five that begin an utterance
_RESUMING_RUN: Final = 2  # voiced windows in a row that are speech and not a click
_QUIETEST_SPEECH: Final = 60.0  # RMS of int16 samples, about -55 dB of full scale
_GATE_OVER_FLOOR: Final = 2.0  # speech is at least 6 dB over the noise
_HIGHEST_FLOOR: Final = 500.0  # RMS; on a noisier line the gate would stop speech as well
_HIGHEST_FIRST_FLOOR: Final = 150.0  # RMS; a stream may begin in the middle of a word
_VOICED_CROSSINGS: Final = 0.3  # of zero per sample; vowels stay far below, hiss is at 0.5


@dataclass(frozen=True, slots=True)
class UtteranceOpened:
    """``start`` is where speech began."""

    start: float
    continued: bool = False  # the rest of an utterance that was cut because of its length


@dataclass(frozen=True, slots=True)
class SilenceBegan:
    """The utterance may be over. ``at`` is the end of its speech so far."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """Speech goes on after ``SilenceBegan``: the utterance was not over."""

    at: float


@dataclass(frozen=True, slots=True, eq=False)
class UtteranceClosed:
    """``audio`` is the speech from ``start`` to ``end`` with a margin of silence on both sides; it
    begins at ``audio_start``."""

    start: float
    end: float
    audio: Samples
    sample_rate: int
    audio_start: float
    cut: bool = False  # because of its length: speech goes on


EndpointEvent = UtteranceOpened | SilenceBegan | SpeechResumed | UtteranceClosed
_NOTHING: Final[tuple[EndpointEvent, ...]] = ()


@dataclass(slots=True, eq=False)
class _Utterance:
    start: float
    audio_start: float
    speech_end: float
    windows: list[Samples]
    energies: list[float]  # mean square of each window
    run: int = 0
    silent: bool = False
    resumed: dict[float, float] = field(default_factory=dict)
    """For each pause, by the end of the speech before it: where speech went on."""


class Endpointer:
    """For one speaker. Feed it placed frames in order. See the module."""

    def __init__(self) -> None:
        self.delay: float = turns.UNKNOWN
        """Endpointing delay in seconds; ``turns.UNKNOWN`` again when an utterance begins or speech
        resumes."""
        self.longest: float = LONGEST_UTTERANCE
        """Seconds after which an utterance is cut."""
        self.cut_search: float = CUT_SEARCH
        self._vad = webrtcvad.Vad(_DETECTOR_MODE)
        self._source_rate = 0
        self._rate = 8000
        self._window = round(self._rate * WINDOW)
        self._resampler: Resampler | None = None
        self._pending: Samples = _EMPTY
        self._at = 0.0  # where the pending samples begin
        self._expected = 0.0  # end of the audio fed so far
        self._recent: deque[Samples] = deque()
        self._recent_size = 0
        self._votes = 0
        self._floor = 0.0  # mean square of the line's noise; 0: not known yet
        self._gate = _QUIETEST_SPEECH**2  # mean square from which a window may be speech
        self._utterance: _Utterance | None = None
        self._frame_allowance = 0.0  # see MAX_FRAME_ALLOWANCE
        self.voiced = 0.0
        """Seconds of voice in the present burst, not always an utterance; 0 between bursts."""
        self._unvoiced = 0.0  # seconds since the last voiced window

    # --- state ----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open: the speaker speaks, or may go on."""
        return self._utterance is not None

    @property
    def start(self) -> float:
        """Where the open utterance's speech began."""
        assert self._utterance is not None
        return self._utterance.start

    @property
    def speech_end(self) -> float:
        """End of the open utterance's speech so far."""
        assert self._utterance is not None
        return self._utterance.speech_end

    @property
    def is_silent(self) -> bool:
        """Whether the open utterance may be over (after ``SilenceBegan``)."""
        return self._utterance is not None and self._utterance.silent

    @property
    def silence(self) -> float:
        """Seconds since the open utterance's last speech."""
        return self._at - self.speech_end

    @property
    def duration(self) -> float:
        """Seconds of audio in the open utterance."""
        assert self._utterance is not None
        return self._at - self._utterance.audio_start

    @property
    def audio_start(self) -> float:
        """Where the open utterance's audio begins."""
        assert self._utterance is not None
        return self._utterance.audio_start

    def audio(self, end: float | None = None) -> tuple[Samples, int]:
        """The open utterance so far, or as far as the pause that began at ``end``, and its sample
        rate."""
        assert self._utterance is not None
        audio = self._audio_of(self._utterance)
        if end is not None and end < self._utterance.speech_end:
            seconds = end + SILENCE_BEGAN - self._utterance.audio_start
            audio = audio[: max(1, round(seconds * self._rate))]
        return audio, self._rate

    def latest(self, seconds: float) -> tuple[Samples, int]:
        """The end of the audio so far, at most ``seconds`` of it, and its sample rate."""
        kept = self._utterance.windows if self._utterance is not None else [*self._recent]
        size = round(seconds * self._rate)
        count = found = 0
        while found < size and count < len(kept):
            count += 1
            found += len(kept[-count])
        return (np.concatenate(kept[-count:])[-size:] if count else _EMPTY), self._rate

    # --- input ----------------------------------------------------------------------------

    def feed(self, frame: PlacedFrame) -> Sequence[EndpointEvent]:
        """Process the next frame."""
        gap = frame.start - self._expected
        events: list[EndpointEvent] | None = None
        if frame.format.sample_rate != self._source_rate or gap > 0.001:
            events = self._bridge(frame, gap)
        self._expected = frame.start + frame.duration
        self._frame_allowance = min(frame.duration / 2, MAX_FRAME_ALLOWANCE)
        samples = decode(frame.payload, frame.format.encoding)
        if self._resampler is not None:
            samples = self._resampler.feed(samples)
        found = self._process(samples)
        return [*events, *found] if events else found

    def poll(self) -> Sequence[EndpointEvent]:
        """Close the utterance if the silence so far exceeds a ``delay`` that was changed."""
        if self._utterance is None or not self._is_over(self._utterance):
            return _NOTHING
        return [self._close(self._utterance)]

    def flush(self) -> Sequence[EndpointEvent]:
        """Close the open utterance now, whatever comes next."""
        self.voiced = 0.0
        return _NOTHING if self._utterance is None else [self._close(self._utterance)]

    def cut(self, end: float) -> Sequence[EndpointEvent]:
        """Close the open utterance in the pause that began at ``end``, although speech went on
        after it, and open one for the rest."""
        utterance = self._utterance
        assert utterance is not None
        index = round((end + SILENCE_BEGAN / 2 - utterance.audio_start) / WINDOW)
        return self._split(utterance, index, end, utterance.resumed.get(end, end))

    def discard(self) -> None:
        """Drop the open utterance and all audio kept."""
        self._utterance = None
        self._drop_audio()

    # --- audio ----------------------------------------------------------------------------

    def _bridge(self, frame: PlacedFrame, gap: float) -> list[EndpointEvent]:
        """Fill the gap before ``frame`` with silence, or start over if no utterance is open or the
        sample rate changed."""
        rate = frame.format.sample_rate
        events: list[EndpointEvent] = []
        same_rate = rate == self._source_rate
        if same_rate and self._utterance is not None:
            seconds = min(gap, turns.LONGEST + SILENCE_BEGAN)
            silence = np.zeros(round(seconds * rate), dtype=np.int16)
            if self._resampler is not None:
                silence = self._resampler.feed(silence)
            events.extend(self._process(silence))
        if same_rate and self._utterance is not None:
            return events
        events.extend(self.flush())
        self._drop_audio()
        self._at = frame.start
        if not same_rate:
            self._source_rate = rate
            self._rate = rate if rate in (8000, 16000) else 16000
            self._window = round(self._rate * WINDOW)
        self._resampler = Resampler(rate, self._rate) if rate != self._rate else None
        return events

    def _drop_audio(self) -> None:
        self.voiced = 0.0
        self._pending = _EMPTY
        self._drop_recent()

    def _process(self, samples: Samples) -> Sequence[EndpointEvent]:
        if len(self._pending):
            samples = np.concatenate((self._pending, samples))
        size = self._window
        count = len(samples) // size
        whole = count * size
        self._pending = samples[whole:]
        if not count:
            return _NOTHING
        windows = samples[:whole].reshape(count, size)
        levels = windows.astype(np.float32)
        energies: list[float] = (np.vecdot(levels, levels) / size).tolist()
        if self._utterance is None and not self._votes and max(energies) < self._gate:
            self._measure_noise(min(energies), count)
            self._keep_recent(samples[:whole])
            self._at += whole / self._rate
            self._count_voice(False, count)
            return _NOTHING
        events: list[EndpointEvent] = []
        for window, energy in zip(windows, energies, strict=True):
            voiced = energy >= self._gate and self._vad.is_speech(window.tobytes(), self._rate)
            self._at += size / self._rate
            self._count_voice(voiced, 1)
            self._adapt_floor(energy, voiced)
            if self._utterance is None:
                self._detect_start(window, energy, voiced, events)
            else:
                self._extend(self._utterance, window, energy, voiced, events)
        return events

    def _count_voice(self, voiced: bool, windows: int) -> None:
        if voiced:
            self.voiced += windows * WINDOW
            self._unvoiced = 0.0
        else:
            self._unvoiced += windows * WINDOW
            if self._unvoiced >= BURST_GAP:
                self.voiced = 0.0

    def _keep_recent(self, samples: Samples) -> None:
        """Keep audio that may be the beginning of an utterance."""
        self._recent.append(samples)
        self._recent_size += len(samples)
        wanted = (PRE_ROLL + 5 * WINDOW) * self._rate
        while self._recent_size - len(self._recent[0]) >= wanted:
            self._recent_size -= len(self._recent.popleft())

    # --- noise ----------------------------------------------------------------------------

    def _measure_noise(self, energy: float, count: int) -> None:
        """``count`` quiet windows, the quietest of mean square ``energy``."""
        if not energy:
            return  # digital silence tells nothing about the line's noise
        if not self._floor:
            self._floor = min(energy, _HIGHEST_FIRST_FLOOR**2)
        self._floor += (energy - self._floor) * (0.3 if energy < self._floor else 0.05 * count)
        self._set_gate()

    def _adapt_floor(self, energy: float, voiced: bool) -> None:
        if not energy:
            return
        if not self._floor:
            self._floor = min(energy, _HIGHEST_FIRST_FLOOR**2)
        elif energy < self._floor:
            self._floor += (energy - self._floor) * 0.3
        elif not voiced:
            self._floor += (energy - self._floor) * (0.05 if self._utterance is None else 0.01)
        else:
            # Speech, or noise that sounds like it: adapt within a minute, not within a sentence.
            self._floor *= 1.001
        self._set_gate()

    def _set_gate(self) -> None:
        floor = min(self._floor, _HIGHEST_FLOOR**2)
        self._gate = max(_QUIETEST_SPEECH**2, floor * _GATE_OVER_FLOOR**2)

    # --- utterances -----------------------------------------------------------------------

    def _detect_start(
        self, window: Samples, energy: float, voiced: bool, events: list[EndpointEvent]
    ) -> None:
        self._keep_recent(window)
        self._votes = (self._votes << 1 | voiced) & 0b11111
        if self._votes.bit_count() < _OPENING_VOTES or not _is_vowel_like(window):
            return
        start = self._at - self._votes.bit_length() * WINDOW
        recent = np.concatenate(self._recent)
        kept = recent[-round((self._at - start + PRE_ROLL) * self._rate) :]
        audio_start = self._at - len(kept) / self._rate
        self._drop_recent()
        size = self._window
        lead = len(kept) % size
        audio_start += lead / self._rate
        energies = [energy] * (len(kept) // size)
        self._utterance = _Utterance(start, audio_start, self._at, [kept[lead:]], energies)
        self.delay = turns.UNKNOWN
        events.append(UtteranceOpened(start))

    def _drop_recent(self) -> None:
        self._recent.clear()
        self._recent_size = 0
        self._votes = 0

    def _extend(
        self,
        utterance: _Utterance,
        window: Samples,
        energy: float,
        voiced: bool,
        events: list[EndpointEvent],
    ) -> None:
        utterance.windows.append(window)
        utterance.energies.append(energy)
        utterance.run = utterance.run + 1 if voiced else 0
        if utterance.run >= _RESUMING_RUN:
            paused_at, utterance.speech_end = utterance.speech_end, self._at
            if utterance.silent:
                utterance.silent = False
                utterance.resumed[paused_at] = self._at - _RESUMING_RUN * WINDOW
                self.delay = turns.UNKNOWN
                events.append(SpeechResumed(self._at))
        elif not utterance.silent and self._at - utterance.speech_end >= SILENCE_BEGAN - 1e-6:
            utterance.silent = True
            events.append(SilenceBegan(utterance.speech_end))
        if self._is_over(utterance):
            events.append(self._close(utterance))
        elif self._at - utterance.audio_start >= self.longest:
            events.extend(self._cut(utterance))

    def _is_over(self, utterance: _Utterance) -> bool:
        shorter_after = SHORTER_DELAY_AFTER * self.longest
        excess = self._at - utterance.audio_start - shorter_after
        range_ = self.longest - shorter_after
        share = 1.0 if excess <= 0 else max(0.4, 1 - excess / range_)
        delay = min(self.delay, turns.LONGEST) * share
        needed = max(SILENCE_BEGAN, delay - self._frame_allowance)
        # Not while a voiced window may be the beginning of more speech.
        return not utterance.run and self._at - utterance.speech_end >= needed - 1e-6

    def _audio_of(self, utterance: _Utterance) -> Samples:
        audio = np.concatenate(utterance.windows)
        end = utterance.speech_end + TAIL - utterance.audio_start
        return audio[: max(1, round(end * self._rate))]

    def _close(self, utterance: _Utterance) -> UtteranceClosed:
        closed = UtteranceClosed(
            utterance.start,
            utterance.speech_end,
            self._audio_of(utterance),
            self._rate,
            utterance.audio_start,
        )
        # The silence after it is the pre-roll of the next utterance.
        seconds = min(PRE_ROLL, self._at - utterance.speech_end)
        audio = np.concatenate(utterance.windows)
        self._utterance = None
        self._drop_recent()
        self._keep_recent(audio[len(audio) - round(seconds * self._rate) :])
        return closed

    def _cut(self, utterance: _Utterance) -> list[EndpointEvent]:
        """Close at the quietest moment of the last seconds, and open an utterance for the rest."""
        first = max(0, len(utterance.energies) - round(self.cut_search / WINDOW))
        tail = np.asarray(utterance.energies[first:], dtype=np.float64)
        smooth: npt.NDArray[np.float64] = np.convolve(tail, np.ones(5) / 5, mode="valid")
        index = first + int(np.argmin(smooth)) + 2
        at = utterance.audio_start + index * self._window / self._rate
        return self._split(utterance, index, min(at, utterance.speech_end), at)

    def _split(
        self, utterance: _Utterance, index: int, end: float, start: float
    ) -> list[EndpointEvent]:
        """Close before window ``index``, where speech ended at ``end``, and open an utterance for
        the rest, whose speech begins at ``start``."""
        audio = np.concatenate(utterance.windows)
        sample = index * self._window
        at = utterance.audio_start + sample / self._rate
        start, speech_end = max(at, start), max(at, utterance.speech_end)
        rest = _Utterance(start, at, speech_end, [audio[sample:]], utterance.energies[index:])
        rest.run, rest.silent, rest.resumed = utterance.run, utterance.silent, utterance.resumed
        self._utterance = rest
        return [
            UtteranceClosed(
                utterance.start, end, audio[:sample], self._rate, utterance.audio_start, cut=True
            ),
            UtteranceOpened(start, continued=True),
        ]


def _is_vowel_like(window: Samples) -> bool:
    """Whether there are few zero crossings. The detector takes the first seconds of hiss on a line
    for speech, and hiss has many."""
    negative = np.signbit(window)
    crossings = np.count_nonzero(negative[1:] != negative[:-1])
    return bool(crossings < _VOICED_CROSSINGS * len(window))


_EMPTY: Final[Samples] = np.empty(0, dtype=np.int16)
