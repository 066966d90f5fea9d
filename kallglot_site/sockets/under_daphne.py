"""WebSockets under Daphne and Autobahn, with the limits that ``kallglot_site.sockets`` lists.

Installed by ``kallglot_site.asgi``, and so wherever Daphne serves it.
"""

import asyncio
import http
from collections.abc import Iterable
from typing import Any, Final

from daphne.server import Server
from daphne.ws_protocol import ConnectionDeny, WebSocketFactory, WebSocketProtocol

from kallglot_site import sockets
from kallglot_site.sockets.http_under_daphne import Channel, bytes_buffered
from kallglot_site.sockets.slow_clients import ReadRate, UnreadWatch
from kallglot_site.sockets.token_bucket import TokenBucket

_SERVER_CODES: Final = frozenset({1001, 1011, 1013})
_CONTINUATION: Final = 0

UNREAD: Final = 256
"""Messages waiting for the application at which reading pauses."""

LOOK_AGAIN: Final = 0.02
"""Seconds."""


class WebSocket(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no annotations
    """One connection. It is a Twisted push producer, to notice when the client does not read."""

    # Autobahn's options. By default it drops the connection without a close code.
    failByDrop = False
    closeHandshakeTimeout = sockets.CLOSE_WITHIN

    def onConnect(self, request: Any) -> Any:
        self._loop = asyncio.get_running_loop()
        self._frames = TokenBucket(
            sockets.FRAMES_PER_SECOND, sockets.FRAMES_AT_ONCE, self._loop.time
        )
        self._holding = False
        self._headers: dict[str, str] = {}
        self._refusal: dict[str, Any] | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        channel = self.transport.producer
        if isinstance(channel, Channel):  # the connection began as HTTP
            channel.upgraded()
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        rate = ReadRate(self.transport.socket, lambda: bytes_buffered(self.transport))
        self._watch = UnreadWatch(rate, self.transport.abortConnection)
        return super().onConnect(request)

    def connectionLost(self, reason: Any) -> None:
        if hasattr(self, "_watch"):  # not after an invalid handshake
            self._watch.stop()
        super().connectionLost(reason)

    def applicationCreateWorked(self, application_queue: Any) -> None:
        super().applicationCreateWorked(application_queue)
        application = self.server.connections[self]["application_instance"]
        application.add_done_callback(self._application_done)

    def _application_done(self, application: "asyncio.Task[None]") -> None:
        """Close when the application ends. Daphne does so only after an exception."""
        left_open = self.state not in (self.STATE_CLOSING, self.STATE_CLOSED)
        if left_open and (application.cancelled() or application.exception() is None):
            self.dropConnection(abort=True)

    # --- in ---------------------------------------------------------------------------------

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() >= UNREAD and not self._holding:
            self._holding = True
            self._hold()

    def _hold(self) -> None:
        """Pause reading until the application has caught up. Daphne would queue without limit."""
        if self.application_queue.qsize() >= UNREAD // 2 and self.state == self.STATE_OPEN:
            self.transport.pauseProducing()
            self._loop.call_later(LOOK_AGAIN, self._hold)
        else:
            self._holding = False
            self.transport.resumeProducing()

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.current_frame.opcode == _CONTINUATION:
            self._count_frame()

    def onPing(self, payload: bytes) -> None:
        if self.writable.is_set():  # pongs would pile up behind unread data
            super().onPing(payload)
        self._count_frame()

    def onPong(self, payload: bytes) -> None:
        super().onPong(payload)
        self._count_frame()

    def _count_frame(self) -> None:
        if not self._frames.take() and self.state == self.STATE_OPEN:
            self.failedByMe = True  # discards further data
            self.serverClose(sockets.TOO_FAST)

    # --- out --------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self.writable.clear()

    def resumeProducing(self) -> None:
        self.writable.set()

    def stopProducing(self) -> None:
        self.writable.set()

    def handle_reply(self, message: Any) -> None:
        if message["type"] == "websocket.http.response.start":
            self._refusal = message
        elif message["type"] == "websocket.http.response.body":
            self._refuse(message.get("body", b""))
        else:
            if message["type"] == "websocket.accept":
                self._headers = dict(_decoded(message.get("headers", ())))
            super().handle_reply(message)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        super().serverAccept((subprotocol, self._headers))

    def _refuse(self, body: bytes) -> None:
        assert self._refusal is not None
        self._refusal["body"] = body
        status = http.HTTPStatus(self._refusal["status"])
        handshake = self.__dict__.pop("handshake_deferred")  # as Daphne does: it asks hasattr()
        handshake.errback(ConnectionDeny(code=status.value, reason=status.phrase))

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        if self._refusal is None:
            super().sendHttpErrorResponse(code, reason, responseHeaders)
            return
        body = self._refusal["body"]
        headers = [*_decoded(self._refusal["headers"]), ("Content-Length", str(len(body)))]
        super().sendHttpErrorResponse(code, reason, [*headers, ("Connection", "close")])
        self.sendData(body)

    # --- the end ----------------------------------------------------------------------------

    def serverClose(self, code: int | None = None) -> None:
        if code in _SERVER_CODES:
            # Autobahn refuses these codes from applications, although RFC 6455 and the IANA
            # registry allow servers to send them.
            self.sendCloseFrame(code=code)
        else:
            super().serverClose(code=code)

    def onAutoPingTimeout(self) -> None:
        if self._holding:  # the pong may be behind data that we have not read
            self.autoPingTimeoutCall = None
        else:
            super().onAutoPingTimeout()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.writable.set()
        super().onClose(wasClean, code, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        super()._closeConnection(abort)
        if not abort:
            # Twisted closes after writing everything, so never if the client does not read.
            self._loop.call_later(sockets.CLOSE_WITHIN, self.transport.abortConnection)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


_create_application: Final = Server.create_application
_handle_reply: Final = Server.handle_reply


def _create_application_that_may_refuse(self: Any, protocol: Any, scope: Any) -> Any:
    if isinstance(protocol, WebSocket):
        scope["extensions"] = {"websocket.http.response": {}}
    return _create_application(self, protocol, scope)


async def _handle_reply_when_writable(self: Any, protocol: Any, message: Any) -> None:
    if isinstance(protocol, WebSocket) and not protocol.writable.is_set():
        await protocol.writable.wait()
    await _handle_reply(self, protocol, message)


def install() -> None:
    """Use this for every Daphne server of this process."""
    WebSocketFactory.protocol = WebSocket
    Server.create_application = _create_application_that_may_refuse
    Server.handle_reply = _handle_reply_when_writable
