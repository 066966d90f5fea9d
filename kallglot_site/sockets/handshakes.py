"""Answers to WebSocket handshakes: request id, headers, refusals."""

import json
from collections.abc import Callable
from typing import Any

from kallglot_site.api.errors import ApiError, NotFound, envelope
from kallglot_site.api.ids import new_id
from kallglot_site.api.links import public_url_of_stream

Headers = list[tuple[bytes, bytes]]


def request_id_of(scope: Any) -> str:
    """The request id of the connection, created at the first call."""
    request_id: str = scope.setdefault("request_id", new_id("req"))
    return request_id


def response_headers(scope: Any) -> Headers:
    """The headers of every answer to a handshake."""
    return [(b"x-request-id", request_id_of(scope).encode())]


def public_url_of(scope: Any) -> str:
    """The base URL of the installation: the setting, else the host of the handshake."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return public_url_of_stream(host, secure=scope.get("scheme") == "wss")


class RefuseWhileStopping:
    """ASGI middleware: a stopping process answers a handshake with 503.

    A proxy then tries the next gateway. After an accepted connection it could not.
    """

    def __init__(self, app: Any, is_stopping: Callable[[], bool]) -> None:
        self.app = app
        self._is_stopping = is_stopping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._is_stopping():
            error = ApiError(
                "This server is stopping. Connect again.",
                code="service_unavailable",
                headers={"Retry-After": "1"},
            )
            await _refuse(error, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application for unknown URLs: answers with the same 404 as REST."""
    await _refuse(NotFound("WebSocket address"), scope, receive, send)


async def _refuse(error: ApiError, scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = envelope(error, None)
    body["error"]["doc_url"] = f"{public_url_of(scope)}/errors#{error.code}"
    body["error"]["request_id"] = request_id_of(scope)
    headers = [(b"content-type", b"application/json"), *response_headers(scope)]
    headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    await send(
        {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})
