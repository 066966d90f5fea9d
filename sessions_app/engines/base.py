"""Base classes of the engines: one abstract method per kind; timeouts, retry and metrics are here.

Engines are chosen by URL (see ``registry``), do not import Django and never read environment
variables. An engine belongs to the event loop that first uses it.
"""

import asyncio
import contextlib
import enum
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from sessions_app.engines import metrics
from sessions_app.engines.failures import EngineError as EngineError
from sessions_app.engines.failures import EngineMisconfigured as EngineMisconfigured
from sessions_app.engines.failures import EngineOverloaded as EngineOverloaded
from sessions_app.engines.failures import EngineRejected as EngineRejected
from sessions_app.engines.failures import EngineTimeout as EngineTimeout
from sessions_app.engines.failures import EngineUnavailable as EngineUnavailable
from sessions_app.engines.translation_guard import translate_guarded
from sessions_app.engines.voices import Voice as Voice

T = TypeVar("T")


class Priority(enum.IntEnum):
    """Lower values run first: finals before speculative requests before partials."""

    FINAL = 0
    SPECULATIVE = 1
    PARTIAL = 2


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionRequest:
    """One utterance. ``audio`` is mono int16 at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None  # ISO 639-1; None: detect
    # Whether ``language`` is certain. If not, it is what the speaker spoke before, and an engine
    # that detects languages follows a change at once.
    certain: bool = True
    languages: tuple[str, ...] = ()  # ISO 639-1; what detection may choose among; empty: all
    vocabulary: tuple[str, ...] = ()
    context: str = ""  # the words that this speaker said just before
    priority: Priority = Priority.FINAL
    english: bool = False  # also give the English of it, if the engine can

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.audio) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Transcription:
    """``text`` is empty when there was no speech. Probabilities and confidence are 0…1.

    ``language`` is the language of ``text``. ``detected_language`` is the language detected in the
    audio, also when the request named another one (``None``: the engine did not detect).
    ``english`` is the English of it, if it was asked for, the engine makes it and another language
    was spoken.
    """

    text: str
    language: str
    language_probability: float
    confidence: float
    detected_language: str | None = None
    detected_probability: float = 0.0
    english: str | None = None


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """One segment to translate, as ISO 639-1 ``source`` and ``target`` (a region is ignored).

    ``glossary`` holds in both directions. ``context`` is what was said just before, in the order
    and the languages in which it was said. ``english`` is the English that the transcriber made of
    the same speech, if any (see ``Translator.wants_english``).
    """

    text: str
    source: str
    target: str
    glossary: Mapping[str, str] = field(default_factory=dict)
    context: tuple[str, ...] = ()
    english: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SpeechAudio:
    """Synthesized speech: mono int16 ``samples`` at ``sample_rate`` Hz."""

    samples: npt.NDArray[np.int16]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate


class Engine(ABC):
    """What all kinds of engines share: a name, a life cycle, and calls that cannot hang.

    ``name`` is a label in metrics and must not hold a secret. ``attempts`` includes the first one.
    """

    kind: ClassVar[str]
    name: str
    default_timeout: float = 30.0  # seconds, for all attempts together
    attempts: int = 2
    backoff: float = 0.2  # seconds before the second attempt; doubles, with jitter

    async def prepare(self) -> None:
        """Put on disk what ``start`` needs, such as model files, and report progress.

        Optional: ``start`` does it too. Raises ``EngineMisconfigured`` or ``EngineUnavailable``.
        """
        return

    async def start(self) -> None:
        """Load and warm up, so that the first request is not slow. Calling it is optional.

        Raises ``EngineMisconfigured`` when the engine can never work as configured.
        """
        return

    async def probe(self) -> None:
        """Ask a server that the engine needs whether it answers. Cheap; the caller sets a deadline.

        Raises ``EngineError`` when requests would fail.
        """
        return

    async def close(self) -> None:
        """Release processes and connections; waiting requests fail with ``EngineUnavailable``."""
        return

    async def _call(self, operation: Callable[[], Awaitable[T]], timeout: float | None) -> T:  # noqa: ASYNC109 - the deadline spans retries
        started = time.perf_counter()
        limit = self.default_timeout if timeout is None else timeout
        outcome = "cancelled"
        try:
            async with asyncio.timeout(limit):
                deadline = asyncio.get_running_loop().time() + limit
                result = await self._with_retry(operation, deadline)
            outcome = "ok"
            return result
        except TimeoutError:
            outcome = "EngineTimeout"
            raise EngineTimeout(f"{self.name} did not answer in time") from None
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            metrics.observe_call(self.kind, self.name, outcome, time.perf_counter() - started)

    async def _with_retry(self, operation: Callable[[], Awaitable[T]], deadline: float) -> T:
        for attempt in range(1, self.attempts + 1):
            try:
                return await operation()
            except EngineError as error:
                # A slow engine does not get faster when it is asked twice.
                if not error.retryable or isinstance(error, EngineTimeout):
                    raise
                if attempt == self.attempts:
                    raise
                pause = self.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                if isinstance(error, EngineOverloaded) and error.retry_after is not None:
                    pause = max(pause, error.retry_after)
                # Waiting past the deadline would report a full engine as one that does not answer.
                if asyncio.get_running_loop().time() + pause >= deadline:
                    raise
                metrics.RETRIES.labels(self.kind, self.name).inc()
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: attempts is at least 1")

    async def _stream(
        self,
        begin: Callable[[], AsyncGenerator[T, None]],
        timeout: float | None,  # noqa: ASYNC109 - seconds per chunk
        between: float | None = None,
    ) -> AsyncGenerator[T, None]:
        """The chunks of ``begin()``. Only the first is retried, so that nothing is sent twice.

        ``between``: seconds for each later chunk, if that differs from ``timeout``.
        """

        async def first() -> tuple[T | None, AsyncGenerator[T, None]]:
            chunks = begin()
            return await anext(chunks, None), chunks

        chunk, chunks = await self._call(first, timeout)
        limit = between or (self.default_timeout if timeout is None else timeout)
        # Closing at once frees the connection or process when the caller stops early (barge-in).
        async with contextlib.aclosing(chunks):
            while chunk is not None:
                yield chunk
                try:
                    async with asyncio.timeout(limit):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise EngineTimeout(
                        f"{self.name} stopped before the end of its answer"
                    ) from None


def storable(text: str) -> str:
    """``text`` without NUL and lone surrogates.

    A remote engine's JSON may hold them, but databases and clients refuse them, and storing the
    text would be retried without end.
    """
    return text.replace("\0", "").encode(errors="replace").decode()


class Transcriber(Engine):
    """Speech to text, one utterance at a time."""

    kind = "transcriber"
    languages: frozenset[str]  # ISO 639-1
    default_timeout = 60.0

    async def transcribe(
        self,
        request: TranscriptionRequest,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> Transcription:
        """Transcribe one utterance; the text is empty when there was no speech.

        Cancelling the call withdraws the request. ``timeout`` is in seconds and includes retries
        and waiting in the engine's queue. Raises ``EngineError`` after the retries.
        """
        try:
            result = await self._call(lambda: self._transcribe(request), timeout)
        except EngineTimeout:
            if self._never_started(request):
                raise EngineOverloaded(f"{self.name} is full: the request only waited") from None
            raise
        metrics.AUDIO.labels(self.name, request.priority.name.lower()).inc(request.duration)
        english = None if result.english is None else storable(result.english)
        return replace(result, text=storable(result.text), english=english)

    @property
    def backlog_seconds(self) -> float:
        """Seconds of audio accepted and not yet transcribed."""
        return 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is in work, so that a partial would delay nothing."""
        return True

    @property
    def capacity(self) -> float:
        """Seconds of audio transcribed per second, as measured lately (``inf``: unknown)."""
        return float("inf")

    def promote(self, request: TranscriptionRequest) -> bool:
        """Give a waiting speculative request the priority of a final; whether it was waiting.

        ``request`` is the object that was given to ``transcribe``; that call gets the answer.
        """
        return False

    def _never_started(self, request: TranscriptionRequest) -> bool:
        """Whether a request that timed out spent all its time in the engine's own queue."""
        return False

    @abstractmethod
    async def _transcribe(self, request: TranscriptionRequest) -> Transcription: ...


class Translator(Engine):
    """Text to text. Values such as numbers and codes stay, and the glossary holds.

    ``keeps_placeholders``: the engine leaves unknown words as they are, so that terms of the
    glossary can be put in afterwards. ``knows_glossary``: ``_translate`` uses the request's.
    """

    kind = "translator"
    keeps_placeholders: bool = True
    knows_glossary: bool = False

    @abstractmethod
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The (source, target) pairs that work now, as ISO 639-1 codes."""

    def supports(self, source: str, target: str) -> bool:
        """Whether ``source`` can be translated into ``target``."""
        return (_base(source), _base(target)) in self.pairs()

    def via(self, source: str, target: str) -> str | None:
        """The third language through which the pair is translated; ``None``: directly."""
        return None

    def translates_text(self, source: str, target: str) -> bool:
        """Whether the pair works without the transcriber's English, so that any text can be
        translated."""
        return self.supports(source, target)

    def wants_english(self, source: str, target: str) -> bool:
        """Whether ``TranslationRequest.english`` would be used for this pair."""
        return False

    async def translate(
        self,
        request: TranslationRequest,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> str:
        """Translate one segment. ``timeout`` is in seconds. Raises ``EngineError``."""
        source, target = _base(request.source), _base(request.target)
        request = replace(request, text=storable(request.text), source=source, target=target)
        if source == target or not any(character.isalnum() for character in request.text):
            return request.text
        return storable(await self._call(lambda: self._guarded(request), timeout))

    async def _guarded(self, request: TranslationRequest) -> str:
        return await translate_guarded(
            self._translate,
            request,
            placeholders=self.keeps_placeholders,
            glossary=self.knows_glossary,
        )

    @abstractmethod
    async def _translate(self, request: TranslationRequest) -> str:
        """``source`` and ``target`` have no region and differ; ``text`` is not blank."""


def _base(language: str) -> str:
    return language.split("-")[0].lower()


class Synthesizer(Engine):
    """Text to speech.

    ``voices`` are all that it has, the preferred ones first. ``lists_voices`` is false if it cannot
    say which those are, as a remote one: then any name may be a voice, of any language.
    """

    kind = "synthesizer"
    languages: frozenset[str]  # ISO 639-1
    voices: tuple[Voice, ...] = ()
    lists_voices: bool = True

    def may_use(self, voice: str, language: str) -> bool:
        """Whether there may be such a voice that speaks the language."""
        known = [each for each in self.voices if each.name == voice]
        return any(each.speaks(language) for each in known) if known else not self.lists_voices

    async def stream(
        self,
        text: str,
        language: str,
        voice: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> AsyncGenerator[SpeechAudio, None]:
        """Speak ``text``, yielding audio as it is made; ``timeout`` is seconds per chunk.

        A ``voice`` that is unknown or speaks another language is not used: the engine chooses one
        of the language, as it does for None. An attempt is repeated only while nothing has been
        yielded. Raises ``EngineError``, and ``EngineRejected`` for a language that is not among
        ``languages``.
        """
        if _base(language) not in self.languages:
            raise EngineRejected(f"{self.name} does not speak {language}")
        if voice is not None and not self.may_use(voice, language):
            voice = None
        chunks = self._stream(lambda: self._synthesize(text, language, voice), timeout)
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def synthesize(
        self,
        text: str,
        language: str,
        voice: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> SpeechAudio:
        """Speak ``text``, all of it at once (empty, 8 kHz, if there is nothing to say)."""
        chunks = [chunk async for chunk in self.stream(text, language, voice, timeout=timeout)]
        if not chunks:
            return SpeechAudio(np.zeros(0, np.int16), 8000)
        samples = np.concatenate([chunk.samples for chunk in chunks])
        return SpeechAudio(samples, chunks[0].sample_rate)

    @abstractmethod
    def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        """An async generator; all chunks have the same rate. ``voice`` is None, or one that
        ``may_use`` allows."""
