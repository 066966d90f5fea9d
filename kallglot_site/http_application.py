"""Django under ASGI, for a service whose views are synchronous.

Django's own handler starts a thread, with a new database connection, for every request, and
switches to that thread again for most middleware. Here a whole request runs in one thread of a
small pool, whose connections stay open. Bodies are limited before they are stored.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django import db
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse

from kallglot_site.http_limits import body_limit

THREADS = 16
"""Requests handled at the same time in one process, each with a database connection."""

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class HttpApplication(ASGIHandler):
    """The ASGI application for HTTP. Make it after ``django.setup()``."""

    def __init__(self) -> None:
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="http")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        limit = body_limit(scope["method"], scope["path"])
        await super().__call__(scope, _bounded(receive, limit), send)

    async def get_response_async(self, request: ASGIRequest) -> HttpResponseBase:  # type: ignore[override]  # Django's type is less exact
        work = sync_to_async(self._work, thread_sensitive=False, executor=self._pool)
        return await work(request)

    def close(self) -> None:
        """Finish running requests, then end the threads and their database connections."""
        self._pool.shutdown()

    def _work(self, request: ASGIRequest) -> HttpResponseBase:
        # Django's signals would do this in other threads, without this thread's connection.
        db.reset_queries()
        db.close_old_connections()
        try:
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not response.is_async:
                # A static file: read it here. Django would read it whole too, but in its single
                # thread for sync code and with a warning. Large responses stream asynchronously.
                response.streaming_content = _at_once(response.getvalue())
            return response
        finally:
            request.scope["route_match"] = request.resolver_match  # type: ignore[index]  # a dict; the access log reads it
            db.close_old_connections()


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _bounded(receive: Receive, limit: int) -> Receive:
    """``receive`` that ends the body after ``limit`` bytes and drops the rest."""
    total = 0

    async def bounded() -> Any:
        nonlocal total
        message = await receive()
        while message["type"] == "http.request" and total > limit:
            message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                return {**message, "more_body": False}
        return message

    return bounded
