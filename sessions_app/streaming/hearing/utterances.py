"""What one speaker says, utterance by utterance, and what the engine is asked meanwhile.

What the engine is asked while somebody still speaks (partials, and the *speculative* final begun
as soon as silence does) is best effort: one request in flight, only while the engine is idle.
Finished utterances go to ``finals``, which never drops any.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
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
from sessions_app.streaming.hearing import turns
from sessions_app.streaming.hearing.backlog import Utterance
from sessions_app.streaming.hearing.endpointing import (
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
"""Seconds of an utterance before it is worth a partial."""

PARTIAL_EVERY: Final = 1.0
"""Seconds of audio from one partial to the next."""

PARTIAL_SHARE: Final = 3.0
"""And at least so many times what the last one took: a partial that is being computed when the
speaker stops delays the final."""

WAIT_FOR_WORDS: Final = 1.2
"""Seconds of silence to wait for the speculative transcript that says how long to wait. The
final cannot be sent before that transcript is there anyway."""

HYPOTHESIS_TIMEOUT: Final = 10.0
"""Seconds an engine may take for what is only a hypothesis; then the final is asked for anew."""

CUT_SHORT: Final = 0.7
"""Seconds between two utterances that say the first was closed too soon."""

MOST_EXTRA_PATIENCE: Final = 0.2
"""Seconds that are waited longer for a speaker with long pauses."""

STALLED: Final = 1.2
"""Seconds without any audio after which an open utterance is over: some clients send none while
nobody speaks."""

CATCH_UP: Final = 0.25
"""Seconds of lateness after which a stall is taken for the server's own."""


@dataclass(slots=True, eq=False)
class _Live:
    """The utterance being spoken."""

    id: str
    start: float  # on the timeline
    opened_at: float  # on the clock
    asked: float = 0.0  # seconds of it that the latest partial was asked for
    text: str = ""  # the latest partial
    request: TranscriptionRequest | None = None  # the latest
    speculated_end: float | None = None  # end of the speech that the latest speculation holds
    speculation: asyncio.Task[Transcription | None] | None = None  # holds all that was said
    answer: Transcription | None = None  # the speculation's


class UtteranceFinder:
    """One speaker's. ``hear`` is the hot path; nothing here waits except in tasks of its own,
    and none of those runs while nobody speaks."""

    def __init__(
        self,
        *,
        speaker: Speaker,
        transcriber: Transcriber,
        finals: FinalTranscriber,
        emit: Emit,
        clock: Clock,
        partials: bool,
    ) -> None:
        self._speaker: Speaker = speaker
        self._transcriber = transcriber
        self._finals = finals
        self._emit = emit
        self._clock = clock
        self._partials = partials
        self._endpointer = Endpointer()
        self._live: _Live | None = None
        self._hypothesis: asyncio.Task[Transcription | None] | None = None
        self._hypothesis_took = 0.0
        self._watcher: asyncio.Task[None] | None = None
        self._fed_at = 0.0  # on the clock
        self._heard_until = 0.0  # on the timeline
        self._last_end = -CUT_SHORT  # of the last utterance
        self._extra_patience = 0.0

    def hear(self, frame: PlacedFrame) -> None:
        """Listen to the next frame."""
        self._fed_at = self._clock.time()
        self._heard_until = frame.start + frame.duration
        events = self._endpointer.feed(frame)
        if events:
            self._handle(events)
        if self._live is not None:
            self._consider()

    def finish(self) -> None:
        """Close the open utterance: it is final, whatever comes next."""
        self._handle(self._endpointer.flush())

    def discard(self) -> None:
        """Forget the open utterance, and take back what was shown of it."""
        end = self._endpointer.speech_end if self._endpointer.is_open else 0.0
        live = self._forget()
        if live is None:
            return
        if live.text:
            self._emit_partial(live, "", None)
        self._emit(SpeechStopped(self._speaker, round(end, 3)))

    def close(self) -> None:
        """Stop all work at once."""
        self._forget()
        if self._watcher is not None:
            self._watcher.cancel()

    def _forget(self) -> _Live | None:
        self._endpointer.discard()
        live, self._live = self._live, None
        self._drop_hypothesis()
        return live

    # --- utterances -------------------------------------------------------------------------

    def _handle(self, events: Sequence[EndpointEvent]) -> None:
        for event in events:
            match event:
                case UtteranceOpened():
                    self._open(event)
                case UtteranceClosed():
                    self._close(event)
                case SpeechResumed():
                    if self._live is not None:
                        self._live.answer = self._live.speculation = None
                case SilenceBegan():
                    if self._live is not None and self._endpointer.is_silent:
                        self._be_patient(self._live)

    def _open(self, event: UtteranceOpened) -> None:
        if not event.continued:
            self._judge_haste(event.start)
        self._live = _Live(new_id("seg"), event.start, self._fed_at)
        if not event.continued:
            self._emit(SpeechStarted(self._speaker, round(event.start, 3)))
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    def _judge_haste(self, start: float) -> None:
        """Learn the speaker's own pauses: one who goes on at once had not finished."""
        if start - self._last_end < CUT_SHORT:
            self._extra_patience = min(self._extra_patience + 0.1, MOST_EXTRA_PATIENCE)
        else:
            self._extra_patience = max(self._extra_patience - 0.05, 0.0)

    def _close(self, event: UtteranceClosed) -> None:
        live, self._live = self._live, None
        assert live is not None
        self._last_end = event.end
        answer = live.answer or live.speculation if live.speculated_end == event.end else None
        if answer is None or answer is not self._hypothesis:
            self._drop_hypothesis()
        elif live.request is not None:
            self._transcriber.promote(live.request)
        if not event.cut:
            self._emit(SpeechStopped(self._speaker, round(event.end, 3)))
        silence = max(0.0, self._heard_until - event.end)
        self._finals.add(
            Utterance(
                live.id,
                event.start,
                event.end,
                event.audio,
                event.sample_rate,
                ended=self._fed_at - silence,
                shown=bool(live.text),
                answer=answer,
            )
        )

    def _be_patient(self, live: _Live) -> None:
        """Choose how much silence ends the utterance that has just fallen silent."""
        if live.answer is not None:
            text = live.answer.text.strip()
            # No words in it: nothing to wait for.
            wait = turns.patience_after(text) if text else turns.FINISHED
            self._endpointer.patience = wait + self._extra_patience
        elif self._hypothesis is not None:
            # A partial is still on its way, and the speculation comes after it: a final begun
            # without waiting would have to queue behind that partial just the same.
            self._endpointer.patience = WAIT_FOR_WORDS
        else:
            self._endpointer.patience = self._plain_patience(live)

    def _plain_patience(self, live: _Live) -> float:
        """Older words can still tell of dictation, but not whether the sentence is finished."""
        text = live.text or self._finals.words_before(live.start)
        wait = turns.patience_after(text)
        return wait if wait == turns.DICTATING else turns.UNKNOWN + self._extra_patience

    async def _watch(self) -> None:
        """Close an utterance whose audio just stops coming."""
        try:
            while self._live is not None:
                wait = max(STALLED, self._endpointer.patience)
                left = self._fed_at + wait - self._clock.time()
                if left <= 0:
                    self.finish()
                    continue
                due = self._clock.time() + left
                await self._clock.sleep(left)
                if self._clock.time() - due > CATCH_UP:
                    # It is this process that was away, and the audio is waiting to be read.
                    await self._clock.sleep(CATCH_UP)
        finally:
            self._watcher = None

    # --- hypotheses -------------------------------------------------------------------------

    def _consider(self) -> None:
        """Ask the engine about the open utterance, if that is worth it and costs nobody else."""
        live = self._live
        if live is None or self._hypothesis is not None:
            return
        endpointer = self._endpointer
        if endpointer.is_silent:
            if not self._covers(live):
                self._speculate(live)
        elif self._partials and not endpointer.silence:
            # In silence, however short, a partial would only be in the speculation's way.
            pause = max(PARTIAL_EVERY, PARTIAL_SHARE * self._hypothesis_took)
            wanted = live.asked + pause if live.asked else FIRST_PARTIAL
            if endpointer.duration >= wanted and self._may_ask(live):
                live.asked = endpointer.duration
                self._ask(live, Priority.PARTIAL)

    def _speculate(self, live: _Live) -> None:
        """Begin the final now, and wait for its words to say how long to wait."""
        if not self._may_ask(live):
            self._endpointer.patience = self._plain_patience(live)
            return
        live.speculated_end = self._endpointer.speech_end
        live.speculation = self._ask(live, Priority.SPECULATIVE)
        self._endpointer.patience = WAIT_FOR_WORDS

    def _may_ask(self, live: _Live) -> bool:
        if self._finals.busy or not self._transcriber.idle:
            return False
        # Of a file sent faster than real time only the finals matter.
        elapsed = self._clock.time() - live.opened_at
        return elapsed >= 0.5 * (self._endpointer.duration - FIRST_PARTIAL)

    def _ask(self, live: _Live, priority: Priority) -> asyncio.Task[Transcription | None]:
        live.request = self._finals.request(*self._endpointer.audio(), priority)
        self._hypothesis = asyncio.create_task(self._hypothesize(live, live.request))
        return self._hypothesis

    def _covers(self, live: _Live) -> bool:
        """Whether the latest speculation holds everything said so far."""
        return live.speculated_end == self._endpointer.speech_end

    def _drop_hypothesis(self) -> None:
        """Whatever is being asked is of no use any more."""
        if self._hypothesis is not None:
            self._hypothesis.cancel()
            self._hypothesis = None

    async def _hypothesize(
        self, live: _Live, request: TranscriptionRequest
    ) -> Transcription | None:
        """One request in flight; None when the engine failed. Raises nothing."""
        task = asyncio.current_task()
        asked_at = self._clock.time()
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
                self._hypothesis_took = self._clock.time() - asked_at
        if live is self._live:
            self._learn(live, result)
        return result

    def _learn(self, live: _Live, result: Transcription | None) -> None:
        """The words so far: show them, and decide with them how long to wait."""
        text = result.text.strip() if result is not None else ""
        if self._covers(live) and self._endpointer.is_silent:
            live.answer, live.speculation = result, None
            self._be_patient(live)
            self._handle(self._endpointer.poll())
        if live is self._live:
            if self._partials and text and text != live.text:
                live.text = text
                self._emit_partial(live, text, result.language if result is not None else None)
            self._consider()

    def _emit_partial(self, live: _Live, text: str, language: str | None) -> None:
        start = round(live.start, 3)
        self._emit(PartialTranscript(live.id, self._speaker, language, text, start))
