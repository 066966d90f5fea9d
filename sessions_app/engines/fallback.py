"""Fallback chains: the first engine that works, the next when it does not.

An engine that failed several times in a row is left alone for a while (a short circuit breaker)
and then tried again, so that the first choice comes back by itself.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from sessions_app.engines import metrics
from sessions_app.engines.base import (
    Engine,
    EngineError,
    EngineMisconfigured,
    EngineUnavailable,
    SpeechAudio,
    Synthesizer,
    Transcriber,
    Transcription,
    TranscriptionRequest,
    Translator,
)

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

FAILURES_TO_OPEN = 2
REST = 15.0  # s an engine is left alone after failing repeatedly

PATIENCE = 10.0  # s, besides the audio's length, before a transcriber counts as hanging


class Breaker:
    """Whether an engine is worth asking now. ``clock`` returns seconds and never jumps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._rest_until = float("-inf")

    @property
    def closed(self) -> bool:
        """True: ask it. After the rest one failure is enough to rest again."""
        return self._clock() >= self._rest_until

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self._failures = 0

    def failed(self) -> None:
        """Count a failure; rest after several in a row."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._rest_until = self._clock() + REST


class Chain(Generic[E]):
    """Engines in order of preference, each behind its breaker."""

    def __init__(self, engines: list[E], clock: Callable[[], float] = time.monotonic) -> None:
        self.engines = engines
        self._breakers = {engine: Breaker(clock) for engine in engines}
        self._broken: dict[E, EngineMisconfigured] = {}

    async def prepare(self) -> None:
        """Prepare all; what cannot be is ``start``'s to judge."""
        for engine in self.engines:
            with contextlib.suppress(EngineError):
                await engine.prepare()

    async def start(self) -> None:
        """Start all; those that cannot work are left out, and only if none can is that an error."""
        for engine in self.engines:
            try:
                await engine.start()
            except EngineMisconfigured as error:
                self._broken[engine] = error
                log.warning("engine %s is left out of the chain: %s", engine.name, error)
            except EngineError:
                self._breakers[engine].failed()
        if len(self._broken) == len(self.engines):
            raise EngineMisconfigured("; ".join(str(error) for error in self._broken.values()))

    async def close(self) -> None:
        """Close all, also when one fails to."""
        errors = []
        for engine in self.engines:
            try:
                await engine.close()
            except Exception as error:  # the others still hold processes and connections
                errors.append(error)
        if errors:
            raise errors[0]

    def usable(self) -> Iterator[E]:
        """Engines to ask, best first. When all rest, the first is asked all the same."""
        candidates = [engine for engine in self.engines if engine not in self._broken]
        awake = [engine for engine in candidates if self._breakers[engine].closed]
        yield from awake or candidates[:1]

    def record(self, engine: E, error: EngineError | None) -> None:
        """Note how an engine answered."""
        if error is None:
            self._breakers[engine].succeeded()
        elif error.retryable:
            self._breakers[engine].failed()
            metrics.FALLBACKS.labels(engine.kind, engine.name).inc()

    async def ask(
        self, call: Callable[[E], Awaitable[T]], suits: Callable[[E], bool] = lambda engine: True
    ) -> T:
        """The first answer of a suitable engine. A rejection counts as an answer only when no
        engine further on takes the request."""
        last: EngineError = EngineUnavailable("no engine of the chain can do this")
        for engine in self.usable():
            if not suits(engine):
                continue
            try:
                answer = await call(engine)
            except EngineError as error:
                self.record(engine, error)
                last = error
            else:
                self.record(engine, None)
                return answer
        raise last


def _name(engines: list[E]) -> str:
    return ">".join(engine.name for engine in engines)


def _languages(engines: list[Transcriber] | list[Synthesizer]) -> frozenset[str]:
    return frozenset[str]().union(*(engine.languages for engine in engines))


class FallbackTranscriber(Transcriber):
    """A chain of transcribers.

    All but the last get a short time limit: a caller's own would be used up by the first to hang.
    """

    attempts = 1
    default_timeout = 120.0

    def __init__(
        self, engines: list[Transcriber], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = _name(engines)
        self._chain = Chain(engines, clock)
        self.languages = _languages(engines)

    @property
    def backlog_seconds(self) -> float:
        return sum(engine.backlog_seconds for engine in self._chain.engines)

    @property
    def idle(self) -> bool:
        return all(engine.idle for engine in self._chain.usable())

    @property
    def capacity(self) -> float:
        return next((engine.capacity for engine in self._chain.usable()), 0.0)

    def promote(self, request: TranscriptionRequest) -> bool:
        return any(engine.promote(request) for engine in self._chain.engines)

    async def start(self) -> None:
        await self._chain.start()
        self.languages = _languages(self._chain.engines)

    async def close(self) -> None:
        await self._chain.close()

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        last = self._chain.engines[-1]

        async def call(engine: Transcriber) -> Transcription:
            patience = None if engine is last else PATIENCE + request.duration
            return await engine.transcribe(request, timeout=patience)

        return await self._chain.ask(call)


class FallbackTranslator(Translator):
    """A chain of translators; each is asked only for pairs it has."""

    attempts = 1
    default_timeout = 60.0

    def __init__(
        self, engines: list[Translator], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = _name(engines)
        self._chain = Chain(engines, clock)

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset[tuple[str, str]]().union(
            *(engine.pairs() for engine in self._chain.engines)
        )

    def supports(self, source: str, target: str) -> bool:
        return any(engine.supports(source, target) for engine in self._chain.engines)

    async def start(self) -> None:
        await self._chain.start()

    async def close(self) -> None:
        await self._chain.close()

    async def _translate(self, text: str, source: str, target: str) -> str:
        return await self._chain.ask(
            lambda engine: engine.translate(text, source, target),
            lambda engine: engine.supports(source, target),
        )


class FallbackSynthesizer(Synthesizer):
    """A chain of synthesizers; each is asked only for languages it speaks.

    It moves on only while nothing has been spoken: half a sentence is not said twice.
    """

    attempts = 1
    default_timeout = 60.0

    def __init__(
        self, engines: list[Synthesizer], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = _name(engines)
        self._chain = Chain(engines, clock)
        self.languages = _languages(engines)

    async def start(self) -> None:
        await self._chain.start()
        self.languages = _languages(self._chain.engines)

    async def close(self) -> None:
        await self._chain.close()

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncIterator[SpeechAudio]:
        async def begin(
            engine: Synthesizer,
        ) -> tuple[SpeechAudio | None, AsyncIterator[SpeechAudio]]:
            pieces = engine.stream(text, language, voice)
            return await anext(pieces, None), pieces

        base = language.split("-")[0].lower()
        piece, pieces = await self._chain.ask(begin, lambda engine: base in engine.languages)
        if piece is not None:
            yield piece
            async for following in pieces:
                yield following
