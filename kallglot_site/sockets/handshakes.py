"""What a WebSocket's handshake has in common with any other request."""

import json
from typing import Any

from kallglot_site.api.errors import NotFound, envelope
from kallglot_site.api.ids import new_id
from kallglot_site.api.links import public_url_of_stream

Headers = list[tuple[bytes, bytes]]


def request_id_of(scope: Any) -> str:
    """The connection's own, made when first asked for."""
    request_id: str = scope.setdefault("request_id", new_id("req"))
    return request_id


def response_headers(scope: Any) -> Headers:
    """What every answer to a handshake carries."""
    return [(b"x-request-id", request_id_of(scope).encode())]


def public_url_of(scope: Any) -> str:
    """Where the installation is reached, as far as the handshake can tell."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return public_url_of_stream(host, secure=scope.get("scheme") == "wss")


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application for addresses that nothing listens at: the answer that REST would give."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = envelope(NotFound("WebSocket address"), None)
    body["error"]["doc_url"] = f"{public_url_of(scope)}/errors#{NotFound.code}"
    body["error"]["request_id"] = request_id_of(scope)
    headers = [(b"content-type", b"application/json"), *response_headers(scope)]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})
