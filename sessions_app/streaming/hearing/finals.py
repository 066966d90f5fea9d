"""Turns one speaker's finished utterances into final transcripts, in order, and drops none."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prometheus_client import Histogram

from sessions_app.clock import Clock
from sessions_app.engines.base import (
    EngineError,
    EngineOverloaded,
    EngineRejected,
    Priority,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.engines.languages import SpeakerLanguage
from sessions_app.live_events import (
    FinalTranscript,
    PartialTranscript,
    PipelineEvent,
    StreamWarning,
)
from sessions_app.media import Samples, Speaker
from sessions_app.streaming.hearing.backlog import Backlog, Utterance

logger = logging.getLogger(__name__)

SPEECH_END_TO_FINAL = Histogram(
    "kallglot_speech_end_to_final_seconds",
    "Seconds from the end of an utterance's speech to its final transcript",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10, 30, 60, 300),
)

FIRST_BACKOFF: Final = 0.5
"""Seconds before the second attempt; doubles up to ``LONGEST_BACKOFF``."""

LONGEST_BACKOFF: Final = 10.0
"""Seconds."""

WARN_AFTER_ATTEMPTS: Final = 3
GIVE_UP_AFTER_FAULTS: Final = 5
"""Attempts at an utterance that end in an exception other than ``EngineError``: an engine's bug."""

DELAYED: Final = 20.0
"""Seconds of waiting speech from which on the client is warned."""

CONTEXT_LENGTH: Final = 200
"""Characters of the speaker's earlier words that an engine is given."""

CONTEXT_LIFETIME: Final = 3.0
"""Seconds after an utterance in which its words tell something about the next one."""

Emit = Callable[[PipelineEvent], None]


class FinalTranscriber:
    """One speaker's queue of finished utterances, language and latest words.

    A task runs only while utterances wait. Failures of the engine are retried until ``close``. An
    utterance is given up, with a warning, when the engine rejects it twice or has a bug with it.
    """

    def __init__(
        self,
        *,
        speaker: Speaker,
        transcriber: Transcriber,
        emit: Emit,
        clock: Clock,
        vocabulary: tuple[str, ...] = (),
        language: str | None = None,
        languages: tuple[str, ...] = (),
        journal_directory: Path | None = None,
        wants_english: Callable[[], bool] = lambda: False,
    ) -> None:
        self._speaker: Speaker = speaker
        self._transcriber = transcriber
        self._emit = emit
        self._clock = clock
        self._vocabulary = vocabulary
        self._wants_english = wants_english
        self._language = SpeakerLanguage(language)
        self._languages = languages
        self._context = ""
        self._context_end = 0.0
        self._backlog = Backlog(journal_directory)
        self._current: Utterance | None = None
        self._worker: asyncio.Task[None] | None = None
        self._warned_of_delay = False

    @property
    def busy(self) -> bool:
        """Whether an utterance waits or is being transcribed."""
        return self._current is not None or bool(self._backlog)

    @property
    def backlog_seconds(self) -> float:
        """Seconds of speech not yet transcribed."""
        current = self._current.duration if self._current is not None else 0.0
        return self._backlog.seconds + current

    @property
    def likely_language(self) -> str | None:
        """The best guess at what the speaker speaks."""
        return self._language.likely

    def words_before(self, start: float) -> str:
        """The speaker's words before ``start``; empty once ``CONTEXT_LIFETIME`` has passed."""
        return self._context if start - self._context_end < CONTEXT_LIFETIME else ""

    def request(
        self, audio: Samples, sample_rate: int, priority: Priority, *, plain: bool = False
    ) -> TranscriptionRequest:
        """A request for this speaker (``plain``: without vocabulary and context)."""
        return TranscriptionRequest(
            audio,
            sample_rate,
            language=self._language.language_hint(len(audio) / sample_rate),
            certain=self._language.fixed,
            languages=self._languages,
            vocabulary=() if plain else self._vocabulary,
            context="" if plain else self._context,
            priority=priority,
            english=priority is not Priority.PARTIAL and self._wants_english(),
        )

    def add(self, utterance: Utterance) -> None:
        """Queue a finished utterance. Never blocks, never drops."""
        self._backlog.append(utterance)
        if self._backlog.seconds > DELAYED:
            self._warn_of_delay("Transcription is behind the call; nothing is lost.")
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - on the injected clock
        """Wait until all utterances are final, ``timeout`` seconds at most. Whether they are."""
        worker = self._worker
        if worker is None:
            return True
        timer = asyncio.ensure_future(self._clock.sleep(timeout))
        try:
            await asyncio.wait({worker, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return worker.done()

    def close(self) -> None:
        """Stop at once. Waiting utterances get no transcript."""
        if self._worker is not None:
            self._worker.cancel()
        self._backlog.close()

    # --- the worker -----------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while self._backlog:
                self._current = self._backlog.popleft()
                result = await self._answer(self._current)
                self._publish(self._current, result)
                self._current = None
        finally:
            self._current = None
            self._worker = None

    async def _answer(self, utterance: Utterance) -> Transcription | None:
        """The transcription; None when the engine cannot make one."""
        result = utterance.answer
        if isinstance(result, asyncio.Task):
            # Awaiting the task itself would raise its cancellation here, as if this worker's.
            await asyncio.wait({result})
            result = None if result.cancelled() else result.result()
        if result is None:
            result = await self._transcribe(utterance)
        if result is not None and self._is_wrong_language(result, utterance):
            # Transcribed in the speaker's previous language: repeat it in the new one.
            result = await self._transcribe(utterance) or result
        return result

    async def _transcribe(self, utterance: Utterance) -> Transcription | None:
        # A loop of its own and not a retry library: it sleeps on the injected clock, has no last
        # attempt, and changes the request after a rejection.
        attempt = faults = rejections = 0
        while True:
            wait, problem = 0.0, "does not answer"
            request = self.request(
                utterance.audio, utterance.sample_rate, Priority.FINAL, plain=rejections > 0
            )
            try:
                return await self._transcriber.transcribe(request)
            except EngineRejected:
                rejections += 1
            except EngineOverloaded as error:
                logger.warning("the transcription engine is full")
                wait, problem = error.retry_after or 0.0, "is full"
            except EngineError as error:
                logger.warning("transcription failed: %s", type(error).__name__)
            except Exception as error:
                # Logged without its text, which may hold words of the call.
                logger.error("transcriber is broken: %s", type(error).__name__)
                faults += 1
            if rejections > 1 or faults >= GIVE_UP_AFTER_FAULTS:
                self._warn_of_failure(utterance)
                return None
            attempt += 1
            if attempt == WARN_AFTER_ATTEMPTS:
                self._warn_of_delay(f"The transcription engine {problem}; still trying.")
            if not rejections:
                wait = max(wait, FIRST_BACKOFF * 2 ** min(attempt - 1, 10))
                await self._clock.sleep(min(wait, LONGEST_BACKOFF))

    def _is_wrong_language(self, result: Transcription, utterance: Utterance) -> bool:
        """Record the language detected. Returns whether this utterance must be transcribed again,
        because it changed the speaker's language."""
        before = self._language.settled
        language, probability = result.detected_language, result.detected_probability
        if language is None and before is None:
            language, probability = result.language, result.language_probability
        if not result.text.strip():
            return False
        changed = self._language.observe(language, probability, utterance.duration)
        return changed and before is not None and result.language != self._language.settled

    def _publish(self, utterance: Utterance, result: Transcription | None) -> None:
        text = result.text.strip() if result is not None else ""
        start, end = round(utterance.start, 3), round(utterance.end, 3)
        if result is None or not text:
            if utterance.shown:
                self._emit(PartialTranscript(utterance.id, self._speaker, None, "", start, end))
            return
        self._context = f"{self._context} {text}"[-CONTEXT_LENGTH:].strip()
        self._context_end = utterance.end
        self._warned_of_delay = self._warned_of_delay and self._backlog.seconds > DELAYED / 4
        SPEECH_END_TO_FINAL.observe(max(0.0, self._clock.time() - utterance.ended))
        self._emit(
            FinalTranscript(
                utterance.id,
                self._speaker,
                result.language,
                text,
                start,
                end,
                # This order makes 0 of a NaN, which would be refused and stored again without end.
                round(min(max(0.0, result.confidence), 1.0), 4),
                english=result.english,
            )
        )

    def _warn_of_delay(self, message: str) -> None:
        if not self._warned_of_delay:
            self._warned_of_delay = True
            self._warn("transcription_delayed", message)

    def _warn_of_failure(self, utterance: Utterance) -> None:
        self._warn(
            "transcription_failed",
            f"The speech from {utterance.start:.1f} s to {utterance.end:.1f} s could not "
            "be transcribed.",
        )

    def _warn(self, code: str, message: str) -> None:
        self._emit(StreamWarning(code, message, self._speaker))
