"""Counts and times HTTP requests by route: the pattern that matched, never the path itself."""

import asyncio
import time
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter(
    "kallglot_http_requests_total",
    "HTTP requests; status 499: the client left before the answer",
    ["method", "route", "status"],
)
DURATION: Final = Histogram(
    "kallglot_http_request_duration_seconds",
    "Seconds from a request's arrival to the beginning of its answer",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IN_PROGRESS: Final = Gauge(
    "kallglot_http_requests_in_progress", "HTTP requests being handled or waiting for a thread"
)

UNMATCHED: Final = "unmatched"
STATIC: Final = "static"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_LEFT: Final = 499


class HttpMetrics:
    """ASGI middleware around Django. Health pages and WebSockets do not reach it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        answered = False

        async def noting(message: Any) -> None:
            nonlocal answered
            if not answered and message["type"] == "http.response.start":
                answered = True
                _count(scope, message["status"], started)
            await send(message)

        IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, noting)
        except asyncio.CancelledError:
            raise
        except Exception:
            if not answered:
                answered = True
                _count(scope, 500, started)
            raise
        finally:
            IN_PROGRESS.dec()
            if not answered:
                _count(scope, _CLIENT_LEFT, started)


def _count(scope: Any, status: int, started: float) -> None:
    route = _route(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    DURATION.labels(route).observe(time.perf_counter() - started)


def _route(scope: Any) -> str:
    match = scope.get("route_match")
    if match is None:
        return STATIC if scope["path"].startswith("/static/") else UNMATCHED
    # The API's last pattern matches everything, to answer 404 in the format of the API.
    return UNMATCHED if match.url_name == UNMATCHED else f"/{match.route}"
