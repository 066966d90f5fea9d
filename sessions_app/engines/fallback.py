"""Fallback chains: ask the first engine that works, and the next one when it fails.

An engine that failed several times in a row is skipped for a while (a circuit breaker) and then
tried again, so that the preferred engine comes back by itself.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from sessions_app.engines import metrics
from sessions_app.engines.base import (
    Engine,
    EngineError,
    EngineMisconfigured,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    SpeechAudio,
    Synthesizer,
    Transcriber,
    Transcription,
    TranscriptionRequest,
    TranslationRequest,
    Translator,
)
from sessions_app.engines.glossary import missing_terms

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

FAILURES_TO_OPEN = 2
COOLDOWN = 15.0  # s that an engine is skipped after repeated failures

TRANSLATION_TIMEOUT = 5.0  # s for every translator but the last
FIRST_SOUND_TIMEOUT = 4.0  # s, for every synthesizer but the last: people are waiting
HANG_TIMEOUT = 10.0  # s, added to the audio's length, for every transcriber but the last


class CircuitBreaker:
    """Whether an engine is worth asking now. ``clock`` returns seconds and never jumps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = float("-inf")
        self._hung = False

    @property
    def closed(self) -> bool:
        """True: ask the engine. After a cooldown one more failure opens the breaker again."""
        return self._clock() >= self._open_until

    @property
    def hung(self) -> bool:
        """Whether the breaker is open, and opened because the engine did not answer in time."""
        return self._hung and not self.closed

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self._failures = 0

    def failed(self, error: EngineError) -> None:
        """Count a failure; several in a row open the breaker."""
        self._hung = isinstance(error, EngineTimeout)
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until = self._clock() + COOLDOWN


class Chain(Generic[E]):
    """Engines in order of preference, each with its circuit breakers.

    An engine that does several things, such as pairs of languages, has a breaker for each, since
    one may fail while the others work.
    """

    def __init__(self, engines: list[E], clock: Callable[[], float] = time.monotonic) -> None:
        self.engines = engines
        self._clock = clock
        self._breakers: dict[tuple[E, Hashable], CircuitBreaker] = {}
        self._misconfigured: set[E] = set()

    @property
    def configured(self) -> list[E]:
        """The engines without those that can never work as they are configured."""
        return [engine for engine in self.engines if engine not in self._misconfigured]

    async def prepare(self) -> None:
        """Prepare all engines. An engine that fails is logged; an error only if all fail."""
        errors: list[EngineError] = []
        for engine in self.engines:
            try:
                await engine.prepare()
            except EngineError as error:
                errors.append(error)
                log.warning("engine %s cannot be prepared: %s", engine.name, error)
        if len(errors) == len(self.engines):
            raise _combined(errors)

    async def start(self) -> None:
        """Start all engines. Misconfigured ones are left out; an error only if all of them are."""
        errors: list[EngineError] = []
        self._misconfigured.clear()
        for engine in self.engines:
            try:
                await engine.start()
            except EngineMisconfigured as error:
                self._misconfigured.add(engine)
                errors.append(error)
                log.warning("engine %s is left out of the fallback chain: %s", engine.name, error)
            except EngineError as error:
                self._breaker(engine, None).failed(error)
                log.warning("engine %s did not start: %s", engine.name, error)
        if not self.configured:
            raise _combined(errors)

    async def probe(self) -> None:
        """Probe all engines at once, until one works; an error only if none does."""
        probes = [asyncio.ensure_future(engine.probe()) for engine in self.configured]
        errors: list[EngineError] = []
        try:
            for answered in asyncio.as_completed(probes):
                try:
                    await answered
                except EngineError as error:
                    errors.append(error)
                except Exception as error:  # an engine's bug
                    errors.append(EngineUnavailable(type(error).__name__))
                else:
                    return  # the others may hang
        finally:
            for probe in probes:
                probe.cancel()
        if errors:
            raise _combined(errors)

    async def close(self) -> None:
        """Close all engines, even when closing one of them fails."""
        errors = []
        for engine in self.engines:
            try:
                await engine.close()
            except Exception as error:  # the other engines still hold processes and connections
                errors.append(error)
        if errors:
            raise errors[0]

    def usable(
        self,
        suits: Callable[[E], bool] = lambda engine: True,
        part: Hashable = None,
        first: Callable[[E], bool] = lambda engine: True,
    ) -> Iterator[E]:
        """Engines to ask, best first.

        When all breakers are open: one engine all the same, if possible one that did not hang.
        """
        suiting = [engine for engine in self.configured if suits(engine)]
        suiting.sort(key=first, reverse=True)  # is stable
        closed = [engine for engine in suiting if self._breaker(engine, part).closed]
        yield from closed or sorted(suiting, key=lambda each: self._breaker(each, part).hung)[:1]

    def record(self, engine: E, error: EngineError | None, part: Hashable = None) -> None:
        """Note the outcome of one request."""
        if error is None:
            self._breaker(engine, part).succeeded()
        elif error.retryable:
            self._breaker(engine, part).failed(error)
            metrics.FALLBACKS.labels(engine.kind, engine.name).inc()

    async def ask(
        self,
        call: Callable[[E], Awaitable[T]],
        suits: Callable[[E], bool] = lambda engine: True,
        part: Hashable = None,
        first: Callable[[E], bool] = lambda engine: True,
    ) -> T:
        """The first answer of an engine that ``suits``; when all fail, the last error.

        Those for which ``first`` is true are asked before the others. If none of the usable engines
        works, the rest may have come back: they are asked too, although their breakers are open.
        Those that hung are not, since each would hold up every request for its whole timeout.
        """
        last: EngineError = EngineUnavailable("no engine of the fallback chain can do this")
        usable = list(self.usable(suits, part, first))
        others = [
            engine
            for engine in self.configured
            if suits(engine) and engine not in usable and not self._breaker(engine, part).hung
        ]
        for engine in (*usable, *others):
            if engine in others and isinstance(last, EngineRejected):
                break  # an engine works, and refuses this request
            try:
                answer = await call(engine)
            except EngineError as error:
                self.record(engine, error, part)
                last = error
            else:
                self.record(engine, None, part)
                return answer
        raise last

    def _breaker(self, engine: E, part: Hashable) -> CircuitBreaker:
        return self._breakers.setdefault((engine, part), CircuitBreaker(self._clock))


def _combined(errors: list[EngineError]) -> EngineError:
    """One error for a chain of which no engine works."""
    message = "; ".join(str(error) for error in errors)
    if all(isinstance(error, EngineMisconfigured) for error in errors):
        return EngineMisconfigured(message)
    return EngineUnavailable(message)


def _languages(engines: Sequence[Transcriber] | Sequence[Synthesizer]) -> frozenset[str]:
    return frozenset[str]().union(*(engine.languages for engine in engines))


class _FallbackEngine(Engine, Generic[E]):
    """The name and life cycle of a chain, for all kinds of engines."""

    attempts = 1  # each engine of the chain retries by itself

    def __init__(self, engines: list[E], clock: Callable[[], float] = time.monotonic) -> None:
        self.name = ">".join(engine.name for engine in engines)
        self._chain = Chain(engines, clock)

    async def prepare(self) -> None:
        await self._chain.prepare()

    async def start(self) -> None:
        await self._chain.start()

    async def probe(self) -> None:
        await self._chain.probe()

    async def close(self) -> None:
        await self._chain.close()


class FallbackTranscriber(_FallbackEngine[Transcriber], Transcriber):
    """A chain of transcribers.

    All but the last have a short timeout, or an engine that hangs would use up the whole time.
    """

    default_timeout = 120.0

    def __init__(
        self, engines: list[Transcriber], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(engines, clock)
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
        await super().start()
        self.languages = _languages(self._chain.configured)  # known only after loading

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        last = self._chain.engines[-1]

        async def call(engine: Transcriber) -> Transcription:
            timeout = None if engine is last else HANG_TIMEOUT + request.duration
            return await engine.transcribe(request, timeout=timeout)

        return await self._chain.ask(call)


class FallbackTranslator(_FallbackEngine[Translator], Translator):
    """A chain of translators; each is asked only for language pairs that it supports.

    An answer without the terms of the glossary is used only if no engine gives one with them.
    """

    default_timeout = 60.0

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset[tuple[str, str]]().union(
            *(engine.pairs() for engine in self._chain.configured)
        )

    def supports(self, source: str, target: str) -> bool:
        return self._best(source, target) is not None

    def via(self, source: str, target: str) -> str | None:
        best = self._best(source, target)
        return None if best is None else best.via(source, target)

    def translates_text(self, source: str, target: str) -> bool:
        return any(e.translates_text(source, target) for e in self._chain.configured)

    def wants_english(self, source: str, target: str) -> bool:
        return any(
            engine.wants_english(source, target)
            for engine in self._chain.configured
            if engine.supports(source, target)
        )

    def _best(self, source: str, target: str) -> Translator | None:
        return next((e for e in self._chain.configured if e.supports(source, target)), None)

    async def _guarded(self, request: TranslationRequest) -> str:
        return await self._translate(request)  # each engine of the chain guards its answers

    async def _translate(self, request: TranslationRequest) -> str:
        second_best: list[str] = []

        async def call(engine: Translator) -> str:
            timeout = None if engine is self._chain.engines[-1] else TRANSLATION_TIMEOUT
            answer = await engine.translate(request, timeout=timeout)
            if missing_terms(request.text, answer, request.glossary):
                second_best.append(answer)
                raise EngineRejected(f"{engine.name} did not follow the glossary")
            return answer

        try:
            return await self._chain.ask(
                call,
                lambda engine: engine.supports(request.source, request.target),
                (request.source, request.target),
            )
        except EngineError:
            if second_best:
                return second_best[0]
            raise


class FallbackSynthesizer(_FallbackEngine[Synthesizer], Synthesizer):
    """A chain of synthesizers; each is asked only for languages that it speaks.

    A named voice is asked of the engine that has it first, and its name is given to no other. The
    next one is asked only while no audio has been yielded, so that no words are said twice.
    """

    default_timeout = 60.0

    def __init__(
        self, engines: list[Synthesizer], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(engines, clock)
        self._look_at(engines)

    async def start(self) -> None:
        await super().start()
        self._look_at(self._chain.configured)

    def _look_at(self, engines: list[Synthesizer]) -> None:
        self.languages = _languages(engines)
        self.voices = tuple(voice for engine in engines for voice in engine.voices)
        self.lists_voices = all(engine.lists_voices for engine in engines)

    def _has(self, engine: Synthesizer, voice: str | None) -> bool:
        """Whether the engine has the voice, or is one that may have it because none lists it."""
        if any(each.name == voice for each in self.voices):
            return any(each.name == voice for each in engine.voices)
        return voice is not None and not engine.lists_voices

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        async def begin(
            engine: Synthesizer,
        ) -> tuple[SpeechAudio | None, AsyncGenerator[SpeechAudio, None]]:
            timeout = None if engine is last else FIRST_SOUND_TIMEOUT
            try:
                async with asyncio.timeout(timeout):
                    named = voice if self._has(engine, voice) else None
                    chunks = engine.stream(text, language, named)
                    return await anext(chunks, None), chunks
            except TimeoutError:
                raise EngineTimeout(f"{engine.name} did not begin to speak in time") from None

        base = language.split("-")[0].lower()
        able = [engine for engine in self._chain.configured if base in engine.languages]
        last = min(reversed(able), key=lambda engine: self._has(engine, voice), default=None)
        chunk, chunks = await self._chain.ask(
            begin,
            lambda engine: engine in able,
            first=lambda engine: self._has(engine, voice),
        )
        async with contextlib.aclosing(chunks):
            if chunk is not None:
                yield chunk
                async for following in chunks:
                    yield following
