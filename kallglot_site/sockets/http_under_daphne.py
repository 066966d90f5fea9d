"""HTTP under Daphne: time limits for slow clients, and a stop that lets requests finish.

Installed by ``kallglot_site.asgi``, and so wherever Daphne serves it.
"""

import asyncio
from typing import Any, ClassVar
from weakref import WeakSet

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from kallglot_site.sockets.slow_clients import HttpWatch, ReadRate

_LOOK_AGAIN = 0.05
"""Seconds."""


_HTTPChannel: Any = HTTPChannel  # Twisted's annotations are partial


class Channel(_HTTPChannel):  # type: ignore[misc]  # as above
    """One connection."""

    open: ClassVar["WeakSet[Channel]"] = WeakSet()

    def connectionMade(self) -> None:
        super().connectionMade()
        self.writable = asyncio.Event()
        self.writable.set()
        rate = ReadRate(self.transport.socket, self._buffered)
        self._watch = HttpWatch(rate, self.transport.abortConnection)
        self.open.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._watch.data()
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._watch.request_complete()
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self._watch.request_awaited()
        super().requestDone(request)

    def pauseProducing(self) -> None:
        self.writable.clear()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.writable.set()
        super().resumeProducing()

    def connectionLost(self, reason: Any) -> None:
        self._watch.stop()
        self.open.discard(self)
        self.writable.set()
        super().connectionLost(reason)

    @property
    def serves_http(self) -> bool:
        """Whether it is neither closed nor upgraded to a WebSocket."""
        protocol = getattr(self.transport, "protocol", None)  # Twisted deletes it at the end
        return protocol is not None and not isinstance(protocol, WebSocketProtocol)

    @property
    def busy(self) -> bool:
        """Whether a request is being answered or has been received in part."""
        return bool(self.requests) or not self._watch.idle

    def close_after_answer(self) -> None:
        """Accept no further request on this connection."""
        self.persistent = 0
        if not self.busy:
            self.loseConnection()

    def timeoutConnection(self) -> None:
        """Twisted's own limit, which would cut a slow client's answer. The watch is instead."""

    def upgraded(self) -> None:
        """The connection is a WebSocket now."""
        self._watch.stop()
        self.open.discard(self)

    def _buffered(self) -> int:
        return bytes_buffered(self.transport)


def bytes_buffered(transport: Any) -> int:
    """Bytes in Twisted's two send buffers."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)


def install() -> None:
    """Use this for every Daphne server of this process."""
    handle_reply = Server.handle_reply

    async def handle_reply_when_writable(self: Any, protocol: Any, message: Any) -> None:
        channel = getattr(protocol, "channel", None)
        if isinstance(protocol, WebRequest) and isinstance(channel, Channel):
            await channel.writable.wait()  # or a slow client's whole answer would be in memory
        await handle_reply(self, protocol, message)

    HTTPFactory.protocol = lambda self: _GenericHTTPChannelProtocol(Channel())
    Server.handle_reply = handle_reply_when_writable


async def requests_finish(within: float) -> int:
    """Wait up to ``within`` seconds for open requests. Returns how many are left.

    Connections without a request are closed.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        busy = 0
        for channel in list(Channel.open):
            if not channel.serves_http:
                continue
            channel.close_after_answer()
            busy += channel.busy
        if not busy or loop.time() >= deadline:
            return busy
        await asyncio.sleep(_LOOK_AGAIN)
