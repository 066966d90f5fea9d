"""The engine contract: one abstract method each; timeouts, retry and metrics live in the base.

Engines are chosen by URL (see ``registry``), know nothing of Django and never read the
environment themselves. An engine belongs to the event loop that first uses it.
"""

import asyncio
import enum
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from sessions_app.engines import metrics

T = TypeVar("T")


class EngineError(Exception):
    """An engine could not do its work. ``retryable`` says whether trying again can help."""

    retryable = False


class EngineUnavailable(EngineError):
    """Not reachable, not loaded, crashed."""

    retryable = True


class EngineTimeout(EngineUnavailable):
    """No answer within the deadline."""


class EngineOverloaded(EngineUnavailable):
    """Its bounded queue is full, or it answered 429. ``retry_after`` is in seconds, if known."""

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineRejected(EngineError):
    """The request itself is refused: retrying the same cannot help."""


class EngineMisconfigured(EngineError):
    """A wrong URL, a missing model, package or credential: for whoever sets it up."""


class Priority(enum.IntEnum):
    """Lower runs first. Partials give way; finals never do."""

    FINAL = 0
    SPECULATIVE = 1
    PARTIAL = 2


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionRequest:
    """One utterance. ``audio`` is mono int16 at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None  # ISO 639-1; None: detect
    vocabulary: tuple[str, ...] = ()
    context: str = ""  # what this speaker said just before
    priority: Priority = Priority.FINAL

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.audio) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Transcription:
    """``text`` is empty when there was no speech. Probabilities and confidence are 0…1.

    ``language`` is the one the words were written down in. ``detected_language`` is what the audio
    sounded like, also when the request named another (``None``: the engine did not listen for it).
    """

    text: str
    language: str
    language_probability: float
    confidence: float
    detected_language: str | None = None
    detected_probability: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SpeechAudio:
    """Synthesized speech: mono int16 ``samples`` at ``sample_rate`` Hz."""

    samples: npt.NDArray[np.int16]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation with a responder."""

    role: Literal["system", "user", "assistant"]
    content: str


class Engine(ABC):
    """What every kind of engine shares: a name, a life cycle, and calls that cannot hang.

    ``name`` labels metrics and must hold nothing secret. ``attempts`` counts the first one.
    """

    kind: ClassVar[str]
    name: str
    default_timeout: float = 30.0  # seconds, for all attempts together
    attempts: int = 2
    backoff: float = 0.2  # seconds before the second attempt; doubles, with jitter

    async def prepare(self) -> None:
        """Make ready on disk what starting needs, so that a person waits once and sees how long.

        Optional: ``start`` does it too. Raises ``EngineMisconfigured`` or ``EngineUnavailable``.
        """
        return

    async def start(self) -> None:
        """Load and warm up, so that the first call is not slow. Calling it is optional.

        Raises ``EngineMisconfigured`` when the engine can never work as configured.
        """
        return

    async def close(self) -> None:
        """Release processes and connections; waiting calls fail with ``EngineUnavailable``."""
        return

    async def _call(self, operation: Callable[[], Awaitable[T]], timeout: float | None) -> T:  # noqa: ASYNC109 - the deadline spans retries
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(self.default_timeout if timeout is None else timeout):
                result = await self._with_retry(operation)
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

    async def _with_retry(self, operation: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, self.attempts + 1):
            try:
                return await operation()
            except EngineError as error:
                # A slow engine is not made faster by asking twice.
                if not error.retryable or isinstance(error, EngineTimeout):
                    raise
                if attempt == self.attempts:
                    raise
                pause = self.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                if isinstance(error, EngineOverloaded) and error.retry_after is not None:
                    pause = max(pause, error.retry_after)
                metrics.RETRIES.labels(self.kind, self.name).inc()
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: attempts is at least 1")


def _sayable(text: str) -> str:
    """Without what JSON may hold, and so a remote engine's answer, but neither a database nor a
    client takes: NUL, and half a surrogate pair. Storing it would be tried for ever."""
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
        """Write down one utterance; empty text when there was no speech.

        Cancelling the call withdraws the request. ``timeout`` is seconds for everything, waiting
        in the engine's queue included. Raises ``EngineError``; ``retryable`` ones were retried.
        """
        result = await self._call(lambda: self._transcribe(request), timeout)
        metrics.AUDIO.labels(self.name, request.priority.name.lower()).inc(request.duration)
        return replace(result, text=_sayable(result.text))

    @property
    def backlog_seconds(self) -> float:
        """Seconds of audio accepted and not yet answered."""
        return 0.0

    @property
    def idle(self) -> bool:
        """Whether a partial may start now without delaying anything that matters more."""
        return True

    @property
    def capacity(self) -> float:
        """Seconds of audio worked off per second, as lately measured (``inf``: unknown)."""
        return float("inf")

    def promote(self, request: TranscriptionRequest) -> bool:
        """Move a speculative request that still waits up among the finals; whether it waited.

        To be called with the very object given to ``transcribe``; its caller gets the answer.
        """
        return False

    @abstractmethod
    async def _transcribe(self, request: TranscriptionRequest) -> Transcription: ...


class Translator(Engine):
    """Text to text."""

    kind = "translator"

    @abstractmethod
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The (source, target) pairs that work now, as ISO 639-1 codes."""

    def supports(self, source: str, target: str) -> bool:
        """Whether ``source`` can be translated into ``target``."""
        return (source, target) in self.pairs()

    async def translate(
        self,
        text: str,
        source: str,
        target: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> str:
        """Translate one segment. Raises ``EngineError``."""
        return await self._call(lambda: self._translate(text, source, target), timeout)

    @abstractmethod
    async def _translate(self, text: str, source: str, target: str) -> str: ...


class Synthesizer(Engine):
    """Text to speech."""

    kind = "synthesizer"
    languages: frozenset[str]  # ISO 639-1

    async def stream(
        self,
        text: str,
        language: str,
        voice: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> AsyncGenerator[SpeechAudio, None]:
        """Speak ``text``, yielding audio as it is made; ``timeout`` is seconds per piece.

        An attempt is repeated only while nothing has been yielded. Raises ``EngineError``, and
        ``EngineRejected`` for a language that is not among ``languages``.
        """
        if language.split("-")[0].lower() not in self.languages:
            raise EngineRejected(f"{self.name} does not speak {language}")

        async def begin() -> tuple[SpeechAudio | None, AsyncIterator[SpeechAudio]]:
            pieces = self._synthesize(text, language, voice)
            return await anext(pieces, None), pieces

        piece, pieces = await self._call(begin, timeout)
        seconds = self.default_timeout if timeout is None else timeout
        while piece is not None:
            yield piece
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise EngineTimeout(f"{self.name} stopped in the middle of a sentence") from None

    async def synthesize(
        self,
        text: str,
        language: str,
        voice: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> SpeechAudio:
        """Speak ``text`` as one piece of audio (empty, 8 kHz, if there is nothing to say)."""
        pieces = [piece async for piece in self.stream(text, language, voice, timeout=timeout)]
        if not pieces:
            return SpeechAudio(np.zeros(0, np.int16), 8000)
        return SpeechAudio(np.concatenate([p.samples for p in pieces]), pieces[0].sample_rate)

    @abstractmethod
    def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncIterator[SpeechAudio]:
        """An async generator; every piece has the same rate."""


class Responder(Engine):
    """Answers a conversation, a piece of text at a time."""

    kind = "responder"

    async def respond(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - part of the contract
    ) -> AsyncGenerator[str, None]:
        """Yield the answer as it is written; ``timeout`` is seconds per piece."""

        async def begin() -> tuple[str | None, AsyncIterator[str]]:
            pieces = self._respond(messages)
            return await anext(pieces, None), pieces

        piece, pieces = await self._call(begin, timeout)
        seconds = self.default_timeout if timeout is None else timeout
        while piece is not None:
            yield piece
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise EngineTimeout(f"{self.name} stopped in the middle of an answer") from None

    @abstractmethod
    def _respond(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """An async generator of pieces of text."""
