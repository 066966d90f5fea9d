"""One log line for every request and WebSocket, under both servers.

The servers' own access logs are off: they print the path and query string, which may hold an
invitation or a stream token.
"""

import time
from typing import Any

import structlog

from kallglot_site.log_paths import path_for_log
from kallglot_site.sockets.handshakes import request_id_of

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are not logged as sent: a client can send any text as its method."""

# Monitoring requests these every few seconds, and a page many at once: they are not logged.
_QUIET = ("/healthz", "/readyz", "/metrics", "/static/")


class AccessLog:
    """ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        answer: dict[str, Any] = {"status": None}

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                for name, value in message.get("headers", ()):
                    if name.lower() == b"x-request-id":
                        answer["request_id"] = value.decode("latin-1")
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            quiet = scope["path"].startswith(_QUIET)
            (log.debug if quiet else log.info)(
                "http",
                method=scope["method"] if scope["method"] in _METHODS else "other",
                path=path_for_log(scope["path"], scope.get("route_match")),
                ms=round((time.perf_counter() - started) * 1000, 1),
                **answer,
            )

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        connection = {"path": path_for_log(scope["path"], None), "request_id": request_id_of(scope)}
        log.info("websocket.open", **connection)
        try:
            await self.app(scope, receive, send)
        finally:
            seconds = round(time.perf_counter() - started, 1)
            log.info("websocket.closed", seconds=seconds, **connection)
