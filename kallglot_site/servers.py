"""Runs the ASGI application under Daphne or uvicorn, and stops it without losing speech or answers.

On SIGTERM or SIGINT the process first drains: it refuses new streams, transcribes what was said and
closes the connections with 1001. Then it stops listening, lets open requests end, and stops. A
second signal stops it at once.
"""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar

import structlog
from django.conf import settings

from kallglot_site.sockets import LARGEST_MESSAGE

log = structlog.get_logger(__name__)

SERVERS = ("daphne", "uvicorn")

PINGS_IN_SILENCE = 3
"""Unanswered pings after which a client is disconnected."""

OPEN_REQUESTS_WITHIN = 10
"""Seconds in which open requests may finish when the server stops."""

Hook = Callable[[], Awaitable[None]]


def serve(server: str, application: Any, *, host: str, port: int, start: Hook, drain: Hook) -> None:
    """Serve until a signal comes. ``start`` runs at the same time, ``drain`` before the stop."""
    {"daphne": _daphne, "uvicorn": _uvicorn}[server](application, host, port, start, drain)


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], Awaitable[None]]) -> None:
    """The first signal stops gracefully, the second at once."""
    running: list[asyncio.Task[None]] = []

    def handle() -> None:
        if running:
            log.warning("gateway.killed", reason="a second signal")
            os._exit(1)
        running.append(loop.create_task(_stopping(stop)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)


async def _stopping(stop: Callable[[], Awaitable[None]]) -> None:
    log.info("gateway.draining")
    try:
        await stop()
    except Exception:
        log.exception("gateway.stop_failed")
        os._exit(1)  # so that the process ends


async def _drained(drain: Hook) -> None:
    """Drain. The process stops even if that fails."""
    try:
        await drain()
    except Exception:
        log.exception("gateway.drain_failed")


async def _started(start: Hook) -> None:
    """Load the engines while the server answers. /readyz shows the progress or the error."""
    try:
        await start()
    except Exception:
        log.exception("gateway.start_failed")
    # Objects loaded by now are never freed. Without this, each full garbage collection would visit
    # them and pause every call for tenths of a second.
    gc.collect()
    gc.freeze()


def uvicorn_options() -> dict[str, Any]:
    """The options that uvicorn needs. ``docs/operations.md`` lists them as flags."""
    return {
        "http": "kallglot_site.sockets.http_under_uvicorn:Http",
        "ws": "kallglot_site.sockets.under_uvicorn:WebSocket",
        "ws_max_size": LARGEST_MESSAGE,
        "ws_ping_interval": settings.STREAM_SILENCE / PINGS_IN_SILENCE,
        "ws_ping_timeout": settings.STREAM_SILENCE / PINGS_IN_SILENCE,
        # Compression would take most of a core and make base64 audio no smaller.
        "ws_per_message_deflate": False,
        # It prints the query string, which may contain a stream token.
        "access_log": False,
        # ProxyMiddleware handles these headers. uvicorn would trust every local process.
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": OPEN_REQUESTS_WITHIN,
    }


def _uvicorn(application: Any, host: str, port: int, start: Hook, drain: Hook) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals drain first: see _on_signals

    server = Server(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            **uvicorn_options(),
        )
    )

    async def stop() -> None:
        await _drained(drain)
        server.should_exit = True

    async def main() -> None:
        _on_signals(asyncio.get_running_loop(), stop)
        starting = asyncio.create_task(_started(start))
        await server.serve()
        starting.cancel()

    asyncio.run(main())
    if not server.started:
        raise SystemExit(1)


def _daphne(application: Any, host: str, port: int, start: Hook, drain: Hook) -> None:
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server, twisted_loop
    from twisted.internet.defer import maybeDeferred

    from kallglot_site.sockets.http_under_daphne import requests_finish

    class ClosableServer(Server):  # type: ignore[misc]  # Daphne has no annotations
        """Remembers the ports that it listens on: Daphne itself cannot stop listening."""

        ports: ClassVar[list[Any]] = []

        def listen_success(self, port: Any) -> None:
            super().listen_success(port)
            self.ports.append(port)

    server = ClosableServer(
        application=application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        signal_handlers=False,
        action_logger=None,
        websocket_max_message_size=LARGEST_MESSAGE,
        websocket_max_frame_size=LARGEST_MESSAGE,
        ping_interval=settings.STREAM_SILENCE / PINGS_IN_SILENCE,
        ping_timeout=settings.STREAM_SILENCE / PINGS_IN_SILENCE,
        # Calls may last for hours. The application closes idle connections.
        websocket_timeout=-1,
        server_name="",
        ready_callable=lambda: ready(),
    )
    background: list[asyncio.Task[None]] = []

    async def stop() -> None:
        await _drained(drain)
        for listening in server.ports:
            await maybeDeferred(listening.stopListening).asFuture(twisted_loop)
        if left := await requests_finish(OPEN_REQUESTS_WITHIN):
            log.warning("gateway.requests_cut", requests=left)
        server.stop()

    def ready() -> None:
        _on_signals(twisted_loop, stop)
        background.append(twisted_loop.create_task(_started(start)))

    server.run()
    if not server.listening_addresses:
        raise SystemExit(1)
