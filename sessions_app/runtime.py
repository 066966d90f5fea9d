"""This process's engines and gateway, made once from the settings.

``start`` loads the transcriber (seconds), ``unready_reason`` says why calls cannot be taken yet,
``drain`` closes the connections and finishes transcribing. The server process calls them. A
connection that comes before ``start`` makes the gateway, and the engines begin to load.

Transcription needs neither the translator nor the synthesizer: they load in the background, and a
process without them is ready all the same.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from django.conf import settings

from sessions_app import capabilities
from sessions_app.clock import SystemClock
from sessions_app.engines import metrics
from sessions_app.engines.base import (
    Engine,
    EngineError,
    EngineOverloaded,
    Synthesizer,
    Transcriber,
    Translator,
)
from sessions_app.engines.registry import (
    synthesizer_from_url,
    transcriber_from_url,
    translator_from_url,
)
from sessions_app.engines.urls import EngineContext
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.live.session import LiveSession
from sessions_app.streaming.telling.monitors import Monitors

log = logging.getLogger(__name__)

PROBE_EVERY: Final = 10.0
MISSED_PROBES: Final = 3
"""Probes in a row without an answer that make a running gateway unready."""

PROBE_TIMEOUT: Final = 3.0
"""Seconds."""

_CLOCK: Final = SystemClock()
_E = TypeVar("_E", bound=Engine)

RESTART_PAUSES: Final = (1.0, 5.0, 15.0, 60.0)
"""Seconds before a translator or synthesizer is started again; the last one repeats."""


class _OptionalEngine:
    """A translator or synthesizer: while it cannot start, it is started again and again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.problem: str | None = f"the {engine.kind} is loading"
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name=f"start {self.engine.name}")

    async def close(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError):
                await self._starting
        await self.engine.close()

    async def _start(self) -> None:
        ready = metrics.READY.labels(self.engine.kind, self.engine.name)
        attempt = 0
        while self.problem is not None:
            try:
                await self.engine.start()
            except Exception as error:  # transcription goes on whatever this engine does
                ready.set(0)
                told = str(error) if isinstance(error, EngineError) else type(error).__name__
                self.problem = f"the {self.engine.kind} cannot start: {told}"
                log.warning("%s; it is tried again", self.problem)
                await asyncio.sleep(RESTART_PAUSES[min(attempt, len(RESTART_PAUSES) - 1)])
                attempt += 1
            else:
                ready.set(1)
                self.problem = None


class _Runtime:
    """What belongs to one event loop."""

    def __init__(
        self,
        transcriber: Transcriber,
        translator: Translator | None = None,
        synthesizer: Synthesizer | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.transcriber = transcriber
        self.gateway = Gateway(
            transcriber=transcriber,
            translator=translator,
            synthesizer=synthesizer,
            clock=_CLOCK,
        )
        self.optional = [
            _OptionalEngine(engine) for engine in (translator, synthesizer) if engine is not None
        ]
        self.loaded = False
        self.prepared = True
        """False while ``start`` has other work to do."""
        self.failure: str | None = None
        self.silence: str | None = None
        """Why the engine's server would not transcribe now, as it answered last; None: it would."""
        self._unanswered = 0
        self._probe_at = 0.0
        self._starting: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return self._starting

    async def _start(self) -> None:
        try:
            await self.transcriber.start()
        except EngineError as error:
            self.failure = f"the transcription engine (TRANSCRIBER_URL) cannot start: {error}"
            log.exception("the transcription engine cannot start")
        else:
            await self._probe()
            self.loaded = True
        for each in self.optional:
            each.start()

    def probe(self) -> None:
        """Ask the engine's server again in the background, if the last answer is old."""
        if time.monotonic() >= self._probe_at and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self.transcriber.probe()
        except EngineOverloaded:
            self._answered()  # it works
        except Exception as error:  # whatever it is, it must not end the probing
            self._unanswered += 1
            reason = str(error) if isinstance(error, EngineError) else "no answer in time"
            log.warning("the transcription engine (TRANSCRIBER_URL) is not available: %s", reason)
            # A busy server may miss one. All gateways of an installation would leave at once.
            if self._unanswered >= (MISSED_PROBES if self.loaded else 1):
                self.silence = "the transcription engine (TRANSCRIBER_URL) is not available"
        else:
            self._answered()
        finally:
            self._probe_at = time.monotonic() + PROBE_EVERY

    def _answered(self) -> None:
        self._unanswered, self.silence = 0, None

    async def close(self) -> None:
        for each in self.optional:
            await each.close()
        await self.transcriber.close()


def _configured() -> _Runtime:
    context = EngineContext(data_dir=settings.DATA_DIR)
    return _Runtime(
        transcriber_from_url(settings.TRANSCRIBER_URL, context),
        _optional(translator_from_url, capabilities.translator_url(), context),
        _optional(synthesizer_from_url, settings.SYNTHESIZER_URL, context),
    )


def _optional(
    make: Callable[[str, EngineContext], _E], url: str, context: EngineContext
) -> _E | None:
    """The engine; None: no URL, or misconfigured."""
    if not url:
        return None
    try:
        return make(url, context)
    except EngineError:
        log.exception("an engine is misconfigured and is not used")
        return None


_runtime: _Runtime | None = None


def _current() -> _Runtime:
    global _runtime
    if _runtime is None or _runtime.loop is not asyncio.get_running_loop():
        _runtime = _configured()
    return _runtime


def clock() -> SystemClock:
    return _CLOCK


def gateway() -> Gateway:
    """This process's gateway, for its event loop only; engines begin to load if they have not."""
    runtime = _current()
    runtime.start()
    return runtime.gateway


def live_session(session_id: str) -> LiveSession:
    """A session of this process's gateway, for followers that need no engine. Join it before the
    next ``await``."""
    return _current().gateway.session(session_id)


def monitors() -> Monitors:
    """The listeners-in of this process, shared by all its sessions."""
    return _current().gateway.monitors


async def start(meanwhile: Awaitable[None] | None = None) -> None:
    """Load the engines. Returns when they have, or have failed to (see ``unready_reason``).

    ``meanwhile`` is other work of the start. The process is not ready before it is done too; its
    exceptions are raised.
    """
    runtime = _current()
    loading = runtime.start()
    if meanwhile is not None:
        runtime.prepared = False
        try:
            await meanwhile
        except Exception as error:
            runtime.failure = f"the start failed: {type(error).__name__}"
            raise
        runtime.prepared = True
    await loading


def missing_engines() -> dict[str, str]:
    """Why translation and speech do not work now, by kind of engine. From any thread.

    A kind that works, or that no setting names, is not in it.
    """
    runtime = _runtime
    if runtime is None:
        return {}
    return {each.engine.kind: each.problem for each in runtime.optional if each.problem}


def unready_reason() -> str | None:
    """Why this process cannot take calls now; None: it can. From any thread."""
    runtime = _runtime
    if runtime is None:
        return "not started"
    if runtime.gateway.draining:
        return "draining"
    if runtime.failure is not None:
        return runtime.failure
    if not runtime.loaded:
        return "the transcription engine is loading"
    return runtime.silence if runtime.prepared else "pages are being loaded"


def engine_probe() -> None:
    """Keep ``unready_reason`` up to date about an engine on another server. Returns at once."""
    runtime = _runtime
    if runtime is not None and runtime.loaded and runtime.loop is asyncio.get_running_loop():
        runtime.probe()


async def drain() -> None:
    """Close connections with 1001, finish transcribing, release the engines."""
    runtime = _runtime
    if runtime is None:
        return
    await runtime.gateway.drain()
    await runtime.gateway.close()
    await runtime.close()


def use(
    transcriber: Transcriber,
    translator: Translator | None = None,
    synthesizer: Synthesizer | None = None,
) -> Gateway:
    """Serve the running loop with these engines instead of the configured ones."""
    global _runtime
    _runtime = _Runtime(transcriber, translator, synthesizer)
    return _runtime.gateway
