"""Finds one speaker's utterances, and requests hypotheses while they are being spoken.

Hypotheses are partials, and the *speculative* final that is requested as soon as silence begins.
They are best effort: one request in flight, and only while the engine is idle. Finished utterances
go to ``finals``, which never drops any.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kallglot_site.api.ids import new_id
from sessions_app.clock import Clock
from sessions_app.engines.base import (
    EngineError,
    Priority,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.live_events import (
    PartialTranscript,
    SpeechStarted,
    SpeechStopped,
)
from sessions_app.media import PlacedFrame, Speaker
from sessions_app.streaming.hearing import followed_speech, turns
from sessions_app.streaming.hearing.backlog import Utterance
from sessions_app.streaming.hearing.echo import Clip, SpokenAudio, own_speech
from sessions_app.streaming.hearing.endpointing import (
    CUT_SEARCH,
    LONGEST_UTTERANCE,
    Endpointer,
    EndpointEvent,
    SilenceBegan,
    SpeechResumed,
    UtteranceClosed,
    UtteranceOpened,
)
from sessions_app.streaming.hearing.finals import Emit, FinalTranscriber

logger = logging.getLogger(__name__)

FIRST_PARTIAL: Final = 0.8
"""Seconds of an utterance before its first partial is requested."""

PARTIAL_EVERY: Final = 1.0
"""Seconds of audio from one partial to the next."""

PARTIAL_SHARE: Final = 3.0
"""The pause between two partials is at least so many times the duration of the last request: a
partial that is still computed when the speaker stops delays the final."""

WAIT_FOR_WORDS: Final = 1.2
"""Endpointing delay in seconds until the speculative final is there, whose words choose the delay.
The final could not be sent before that anyway."""

HYPOTHESIS_TIMEOUT: Final = 10.0
"""Seconds that an engine may take for a hypothesis. A final is requested again after that."""

CUT_SHORT: Final = 0.7
"""A pause between two utterances of fewer seconds means that the first was ended too early."""

MAX_EXTRA_DELAY: Final = 0.2
"""Seconds that the endpointing delay may grow for a speaker who makes long pauses."""

STALLED: Final = 1.2
"""Seconds without audio that end an utterance: some clients send no audio during silence."""

CATCH_UP: Final = 0.25
"""If a timer fires so many seconds late, this process stalled, and not the client."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What is heard of a speaker at one moment, before it is known to be an utterance.

    ``voiced``: seconds of voice in the present burst of it, 0 between bursts; ``latest`` returns
    the audio of the last so many seconds, of at most 0.4 if no utterance has begun.
    """

    voiced: float
    latest: Callable[[float], Clip]


@dataclass(slots=True, eq=False)
class _OpenUtterance:
    """The utterance being spoken."""

    id: str
    start: float  # on the timeline
    opened_at: float  # on the clock
    continued: bool = False  # the rest of one that was cut
    partial_at: float = 0.0  # its length, in seconds, at the latest partial's request
    text: str = ""  # of the latest partial
    request: TranscriptionRequest | None = None  # the latest
    paused_at: float | None = None  # end of the speech before the latest pause
    speculated_end: float | None = None  # end of the speech in the latest speculative request
    speculation: asyncio.Task[Transcription | None] | None = None  # its request, if still valid
    answer: Transcription | None = None  # its result, if still valid


class UtteranceFinder:
    """For one speaker. ``feed`` is the hot path. Waiting is done in tasks, which run only while an
    utterance is open. ``partials``: whether they are used at all; ``followed``: whether words are
    translated while they are spoken."""

    def __init__(
        self,
        *,
        speaker: Speaker,
        transcriber: Transcriber,
        finals: FinalTranscriber,
        emit: Emit,
        clock: Clock,
        partials: Callable[[], bool],
        followed: Callable[[], bool] = lambda: False,
        audible: Callable[[], Sequence[SpokenAudio]] = tuple,
    ) -> None:
        self._speaker: Speaker = speaker
        self._transcriber = transcriber
        self._finals = finals
        self._emit = emit
        self._clock = clock
        self._partials = partials
        self._followed = followed
        self._endpointer = Endpointer()
        self._audible = audible
        self.spoken = SpokenAudio(self._open_clip)
        """What the speaker said lately: the other party's line may return it as an echo."""
        self._open_utterance: _OpenUtterance | None = None
        self._hypothesis: asyncio.Task[Transcription | None] | None = None
        self._hypothesis_took = 0.0
        self._watcher: asyncio.Task[None] | None = None
        self._fed_at = 0.0  # on the clock
        self._fed_until = 0.0  # on the timeline
        self._last_end = -CUT_SHORT  # of the previous utterance
        self._extra_delay = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether the open utterance may be over: its speech has ended."""
        return self._endpointer.is_silent

    def feed(self, frame: PlacedFrame) -> None:
        """Process the next frame."""
        self._fed_at = self._clock.time()
        self._fed_until = frame.start + frame.duration
        events = self._endpointer.feed(frame)
        if events:
            self._handle(events)
        if self._open_utterance is not None:
            self._request_hypothesis()

    def listen(self, frame: PlacedFrame) -> None:
        """Notice the voice in the next frame, and transcribe nothing of it. Call ``discard`` before
        the next ``feed``."""
        self._fed_at = self._clock.time()
        self._fed_until = frame.start + frame.duration
        self._endpointer.feed(frame)

    @property
    def voice(self) -> Voice:
        """What is heard of the speaker at this moment."""
        return Voice(self._endpointer.voiced, self._latest)

    def _latest(self, seconds: float) -> Clip:
        samples, rate = self._endpointer.latest(seconds)
        return Clip(self._fed_until - len(samples) / rate, samples, rate)

    def finish(self) -> None:
        """Close the open utterance now, whatever comes next."""
        if self._open_utterance is None:
            self._endpointer.discard()  # what was only listened to
        else:
            self._handle(self._endpointer.flush())

    def discard(self) -> None:
        """Drop the open utterance, and withdraw its partial."""
        end = self._endpointer.speech_end if self._endpointer.is_open else 0.0
        utterance = self._drop()
        if utterance is None:
            return
        self._withdraw(utterance, end)

    def close(self) -> None:
        """Stop all work at once."""
        self._drop()
        if self._watcher is not None:
            self._watcher.cancel()

    def _drop(self) -> _OpenUtterance | None:
        self._endpointer.discard()
        utterance, self._open_utterance = self._open_utterance, None
        self._drop_hypothesis()
        return utterance

    # --- utterances -------------------------------------------------------------------------

    def _handle(self, events: Sequence[EndpointEvent]) -> None:
        for event in events:
            match event:
                case UtteranceOpened():
                    self._open(event)
                case UtteranceClosed():
                    self._close(event)
                case SpeechResumed():
                    if self._open_utterance is not None:
                        self._resume(self._open_utterance)
                case SilenceBegan(at):
                    if self._open_utterance is not None:
                        self._open_utterance.paused_at = at
                        if self._endpointer.is_silent:
                            self._set_delay(self._open_utterance)

    def _open(self, event: UtteranceOpened) -> None:
        if not event.continued:
            self._adapt_delay(event.start)
        followed, endpointer = self._followed(), self._endpointer
        endpointer.longest = followed_speech.LONGEST if followed else LONGEST_UTTERANCE
        endpointer.cut_search = followed_speech.CUT_SEARCH if followed else CUT_SEARCH
        self._open_utterance = _OpenUtterance(
            new_id("seg"), event.start, self._fed_at, event.continued
        )
        if not event.continued:
            self._emit(SpeechStarted(self._speaker, round(event.start, 3)))
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    def _resume(self, utterance: _OpenUtterance) -> None:
        """Speech goes on after a pause."""
        answer, utterance.answer, utterance.speculation = utterance.answer, None, None
        if answer is not None and self._is_piece(utterance, answer.text.strip()):
            self._cut(utterance, answer)

    def _adapt_delay(self, start: float) -> None:
        """Adapt the delay to the speaker: one who goes on at once had not finished."""
        if start - self._last_end < CUT_SHORT:
            self._extra_delay = min(self._extra_delay + 0.1, MAX_EXTRA_DELAY)
        else:
            self._extra_delay = max(self._extra_delay - 0.05, 0.0)

    def _open_clip(self) -> Clip | None:
        if not self._endpointer.is_open:
            return None
        samples, rate = self._endpointer.audio()
        return Clip(self._endpointer.audio_start, samples, rate)

    def _without_echo(self, event: UtteranceClosed) -> UtteranceClosed | None:
        """The utterance without what the speaker could hear; None: it was nothing else."""
        clip = Clip(event.audio_start, event.audio, event.sample_rate)
        own = own_speech(clip, self._audible())
        if own is None or own is clip:
            return event if own else None
        return replace(
            event,
            start=max(event.start, own.start),
            end=min(event.end, own.end),
            audio=own.samples,
            audio_start=own.start,
        )

    def _close(self, event: UtteranceClosed) -> None:
        own = self._without_echo(event)
        if own is None:
            self._drop_echo(event)
            return
        self.spoken.add(Clip(own.audio_start, own.audio, own.sample_rate))
        self._finish_utterance(event, own)

    def _drop_echo(self, event: UtteranceClosed) -> None:
        utterance, self._open_utterance = self._open_utterance, None
        assert utterance is not None
        self._drop_hypothesis()
        self._withdraw(utterance, event.end, goes_on=event.cut)

    def _withdraw(self, utterance: _OpenUtterance, end: float, *, goes_on: bool = False) -> None:
        if utterance.text:
            self._emit_partial(utterance, "", None, end)
        if not goes_on:
            self._emit(SpeechStopped(self._speaker, round(end, 3)))

    def _finish_utterance(self, event: UtteranceClosed, own: UtteranceClosed) -> None:
        """Have ``own``, what is the speaker's of the utterance, transcribed."""
        utterance, self._open_utterance = self._open_utterance, None
        assert utterance is not None
        self._last_end = event.end
        answer = (
            utterance.answer or utterance.speculation
            if utterance.speculated_end == event.end and own is event
            else None
        )
        if answer is None or answer is not self._hypothesis:
            self._drop_hypothesis()
        elif utterance.request is not None:
            self._transcriber.promote(utterance.request)
        if not event.cut:
            self._emit(SpeechStopped(self._speaker, round(event.end, 3)))
        silence = max(0.0, self._fed_until - event.end)
        self._finals.add(
            Utterance(
                utterance.id,
                own.start,
                own.end,
                own.audio,
                own.sample_rate,
                ended=self._fed_at - silence,
                shown=bool(utterance.text),
                answer=answer,
            )
        )

    def _set_delay(self, utterance: _OpenUtterance) -> None:
        """Choose the endpointing delay: the utterance has just fallen silent."""
        if utterance.answer is not None:
            text = utterance.answer.text.strip()
            # Without words there is nothing to wait for.
            delay = turns.delay_after(text) if text else turns.FINISHED
            self._endpointer.delay = delay + self._extra_delay
        elif self._hypothesis is not None:
            # A partial is being computed, and the speculative final is next. A final requested
            # now would wait for that partial as well.
            self._endpointer.delay = WAIT_FOR_WORDS
        else:
            self._endpointer.delay = self._plain_delay(utterance)

    def _plain_delay(self, utterance: _OpenUtterance) -> float:
        """The delay from older words: they may show dictation, but not a finished sentence."""
        text = utterance.text or self._finals.words_before(utterance.start)
        delay = turns.delay_after(text)
        return delay if delay == turns.DICTATING else turns.UNKNOWN + self._extra_delay

    async def _watch(self) -> None:
        """Close the utterance when its audio stops coming."""
        try:
            while self._open_utterance is not None:
                wait = max(STALLED, self._endpointer.delay)
                left = self._fed_at + wait - self._clock.time()
                if left <= 0:
                    self.finish()
                    continue
                due = self._clock.time() + left
                await self._clock.sleep(left)
                if self._clock.time() - due > CATCH_UP:
                    # This process stalled. The audio is probably waiting to be read.
                    await self._clock.sleep(CATCH_UP)
        finally:
            self._watcher = None

    # --- hypotheses -------------------------------------------------------------------------

    def _request_hypothesis(self) -> None:
        """Request a hypothesis of the open utterance, if it is due and delays no other request."""
        utterance = self._open_utterance
        if utterance is None or self._hypothesis is not None:
            return
        endpointer = self._endpointer
        if endpointer.is_silent and endpointer.silence >= self._speculate_after(utterance):
            if not self._is_speculation_current(utterance):
                self._speculate(utterance, endpointer.speech_end)
        elif self._has_missed_pause(utterance):
            assert utterance.paused_at is not None
            self._speculate(utterance, utterance.paused_at)
        elif not endpointer.silence and self._partials():
            # A partial requested in silence, however short, would delay the speculative final.
            pause = self._partial_pause(utterance)
            first = pause if utterance.continued and self._followed() else FIRST_PARTIAL
            wanted = utterance.partial_at + pause if utterance.partial_at else first
            if endpointer.duration >= wanted and self._may_request(utterance):
                utterance.partial_at = endpointer.duration
                self._request(utterance, Priority.PARTIAL)

    def _partial_pause(self, utterance: _OpenUtterance) -> float:
        """Seconds from one partial to the next."""
        if self._is_long(utterance):
            return followed_speech.partial_pause(self._endpointer.duration, self._hypothesis_took)
        return max(PARTIAL_EVERY, PARTIAL_SHARE * self._hypothesis_took)

    def _speculate_after(self, utterance: _OpenUtterance) -> float:
        """Seconds of silence after which the final is requested."""
        if not self._is_long(utterance):
            return 0.0
        end = self._endpointer.speech_end
        new = end - (utterance.speculated_end or utterance.start)
        return followed_speech.speculate_after(end - utterance.start, new)

    def _has_missed_pause(self, utterance: _OpenUtterance) -> bool:
        """Whether long speech had a pause that it may be cut in, while another request was in
        work."""
        paused_at, speculated = utterance.paused_at, utterance.speculated_end or utterance.start
        return (
            paused_at is not None
            and paused_at < self._endpointer.speech_end
            and paused_at - utterance.start >= followed_speech.SHORTEST_PIECE
            and paused_at - speculated >= followed_speech.NEW_SPEECH
            and self._is_long(utterance)
        )

    def _is_long(self, utterance: _OpenUtterance) -> bool:
        """Whether it is long speech whose words are used while it is spoken."""
        long = utterance.continued or self._endpointer.duration > followed_speech.AFTER
        return long and self._followed()

    def _is_piece(self, utterance: _OpenUtterance, text: str) -> bool:
        """Whether long speech may be cut in the pause after ``text``, its words until then."""
        end, endpointer = utterance.speculated_end, self._endpointer
        # One frame may have ended it already, and begun another one.
        if not text or end is None or not endpointer.is_open:
            return False
        if endpointer.start != utterance.start:
            return False
        if not self._is_long(utterance):
            return False
        return followed_speech.is_piece(end - utterance.start, text)

    def _cut(self, utterance: _OpenUtterance, answer: Transcription) -> None:
        """End the utterance in the pause that it was decoded up to, although speech went on."""
        assert utterance.speculated_end is not None
        utterance.answer = answer
        self._handle(self._endpointer.cut(utterance.speculated_end))

    def _speculate(self, utterance: _OpenUtterance, end: float) -> None:
        """Request the final of the speech until ``end``; its words choose the endpointing delay."""
        if not self._may_request(utterance):
            self._endpointer.delay = self._plain_delay(utterance)
            return
        utterance.speculated_end = end
        utterance.speculation = self._request(utterance, Priority.SPECULATIVE, end)
        self._endpointer.delay = WAIT_FOR_WORDS

    def _may_request(self, utterance: _OpenUtterance) -> bool:
        if self._finals.busy or not self._transcriber.idle:
            return False
        # A file sent faster than real time needs finals only.
        elapsed = self._clock.time() - utterance.opened_at
        return elapsed >= 0.5 * (self._endpointer.duration - FIRST_PARTIAL)

    def _request(
        self, utterance: _OpenUtterance, priority: Priority, end: float | None = None
    ) -> asyncio.Task[Transcription | None]:
        utterance.request = self._finals.request(*self._endpointer.audio(end), priority)
        self._hypothesis = asyncio.create_task(self._hypothesize(utterance, utterance.request))
        return self._hypothesis

    def _is_speculation_current(self, utterance: _OpenUtterance) -> bool:
        """Whether the latest speculative request has all speech so far."""
        return utterance.speculated_end == self._endpointer.speech_end

    def _drop_hypothesis(self) -> None:
        """Cancel the request in flight."""
        if self._hypothesis is not None:
            self._hypothesis.cancel()
            self._hypothesis = None

    async def _hypothesize(
        self, utterance: _OpenUtterance, request: TranscriptionRequest
    ) -> Transcription | None:
        """The result of one request; None when the engine failed. Raises nothing."""
        task = asyncio.current_task()
        requested_at = self._clock.time()
        result: Transcription | None = None
        try:
            result = await self._transcriber.transcribe(request, timeout=HYPOTHESIS_TIMEOUT)
        except EngineError as error:
            logger.info("a hypothesis failed: %s", type(error).__name__)
        except Exception as error:
            logger.error("transcriber is broken: %s", type(error).__name__)
        finally:
            if self._hypothesis is task:
                self._hypothesis = None
                self._hypothesis_took = self._clock.time() - requested_at
        if utterance is self._open_utterance:
            end = self._endpointer.audio_start + request.duration
            speculative = request.priority is Priority.SPECULATIVE
            self._use_hypothesis(utterance, result, end, speculative=speculative)
        return result

    def _use_hypothesis(
        self,
        utterance: _OpenUtterance,
        result: Transcription | None,
        end: float,
        *,
        speculative: bool,
    ) -> None:
        """Send the words so far as a partial, and choose the endpointing delay from them."""
        text = result.text.strip() if result is not None else ""
        if self._is_speculation_current(utterance) and self._endpointer.is_silent:
            utterance.answer, utterance.speculation = result, None
            self._set_delay(utterance)
            self._handle(self._endpointer.poll())
        elif speculative and result is not None and self._is_piece(utterance, text):
            self._cut(utterance, result)
        if utterance is self._open_utterance:
            if result is not None and text and text != utterance.text and self._partials():
                utterance.text = text
                self._emit_partial(utterance, text, result.language, end)
            self._request_hypothesis()

    def _emit_partial(
        self, utterance: _OpenUtterance, text: str, language: str | None, end: float
    ) -> None:
        start, end = round(utterance.start, 3), round(end, 3)
        self._emit(PartialTranscript(utterance.id, self._speaker, language, text, start, end))
