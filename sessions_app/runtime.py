"""This process's engines and gateway, made once from the settings.

``start`` loads the engines (seconds), ``unready_reason`` says why calls cannot be taken yet,
``drain`` closes the connections and finishes transcribing. The server process calls them. A
connection that comes before ``start`` makes the gateway, and the engines begin to load.
"""

import asyncio
import logging
from typing import Final

from django.conf import settings

from sessions_app.clock import SystemClock
from sessions_app.engines.base import EngineError, Transcriber
from sessions_app.engines.registry import transcriber_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.live.session import LiveSession
from sessions_app.streaming.telling.monitors import Monitors

log = logging.getLogger(__name__)

_CLOCK: Final = SystemClock()


class _Runtime:
    """What belongs to one event loop."""

    def __init__(self, transcriber: Transcriber | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.transcriber = transcriber or transcriber_from_url(
            settings.TRANSCRIBER_URL, EngineContext(data_dir=settings.DATA_DIR)
        )
        self.gateway = Gateway(transcriber=self.transcriber, clock=_CLOCK)
        self.loaded = False
        self.failure: str | None = None
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return self._starting

    async def _start(self) -> None:
        try:
            await self.transcriber.start()
        except EngineError as error:
            self.failure = f"the transcription engine cannot start: {error}"
            log.exception("the transcription engine cannot start")
        else:
            self.loaded = True


_runtime: _Runtime | None = None


def _current() -> _Runtime:
    global _runtime
    if _runtime is None or _runtime.loop is not asyncio.get_running_loop():
        _runtime = _Runtime()
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


async def start() -> None:
    """Load the engines. Returns when they have, or have failed to (see ``unready_reason``)."""
    await _current().start()


def unready_reason() -> str | None:
    """Why this process cannot take calls now; None: it can. From any thread."""
    runtime = _runtime
    if runtime is None:
        return "not started"
    if runtime.gateway.draining:
        return "draining"
    if runtime.failure is not None:
        return runtime.failure
    return None if runtime.loaded else "the transcription engine is loading"


async def drain() -> None:
    """Close connections with 1001, finish transcribing, release the engines."""
    runtime = _runtime
    if runtime is None:
        return
    await runtime.gateway.drain()
    await runtime.gateway.close()
    await runtime.transcriber.close()


def use(transcriber: Transcriber) -> Gateway:
    """Serve the running loop with this engine instead of the configured one."""
    global _runtime
    _runtime = _Runtime(transcriber)
    return _runtime.gateway
