"""Lets Daphne close WebSockets with the codes that tell a client to come back.

Autobahn, below Daphne, refuses 1001 (going away), 1011 (server fault) and 1013 (try later) from an
application, although RFC 6455 and the IANA registry give them to servers; uvicorn sends them.
"""

from typing import Any, Final

from daphne.ws_protocol import WebSocketProtocol

_SERVER_CODES: Final = frozenset({1001, 1011, 1013})
_original: Final = WebSocketProtocol.serverClose


def _server_close(self: Any, code: int | None = None) -> None:
    if code in _SERVER_CODES:
        self.sendCloseFrame(code=code)
    else:
        _original(self, code=code)


def install() -> None:
    """For every Daphne server of this process."""
    WebSocketProtocol.serverClose = _server_close
