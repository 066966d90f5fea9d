"""Ends HTTP connections of clients that send a request, or read an answer, too slowly.

The servers end silent connections at most. A client that sends a byte now and then, or that does
not read its answer, could keep its connection, and with it a file descriptor, for ever.
"""

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Final

REQUEST_WITHIN: Final = 30.0
"""Seconds until the first byte of a request, and then until all of it has come, with its body."""

READ_WITHIN: Final = 30.0
"""Seconds in which a client with a pending answer must read at least one byte."""

LOOK_EVERY: Final = 1.0
"""Seconds."""

_BYTES_ACKED: Final = slice(120, 128)
"""``tcpi_bytes_acked`` in ``struct tcp_info`` (linux/tcp.h)."""


def _acknowledged(raw: socket.socket, pending: int) -> int:
    """A number that grows when the client receives bytes.

    On Linux it is TCP's count, because the system's buffer can hide that a slow client still reads.
    """
    if sys.platform != "linux":
        return -pending
    info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.stop)
    return int.from_bytes(info[_BYTES_ACKED], sys.byteorder)


class HttpWatch:
    """Ends one connection when its client is too slow.

    Args:
        raw: the connection's socket.
        pending: how many bytes of answers the server still holds for the client.
        end: closes the connection at once, without sending what is pending.
    """

    def __init__(
        self, raw: socket.socket, pending: Callable[[], int], end: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._raw = raw
        self._pending = pending
        self._end = end
        self._taken = 0
        self._read_at = self._due_since = self._loop.time()
        self._waiting = True
        self.idle = True
        """No byte of the next request has come."""
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)

    def data(self) -> None:
        """Bytes came from the client."""
        if self.idle:
            self.idle = False
            self._due_since = self._loop.time()

    def request_complete(self) -> None:
        """The whole request was received."""
        self._waiting = False

    def request_awaited(self) -> None:
        """The answer is complete, and the connection is kept for the next request."""
        self._waiting = self.idle = True
        self._due_since = self._loop.time()

    def stop(self) -> None:
        """The connection is closed, or is no longer HTTP."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        pending = self._pending()
        try:
            taken = _acknowledged(self._raw, pending)
        except OSError:
            return  # the socket is closed
        if not pending or taken > self._taken:
            self._read_at = now
        self._taken = taken
        late = self._waiting and now - self._due_since >= REQUEST_WITHIN
        if late or now - self._read_at >= READ_WITHIN:
            self._end()
        else:
            self._timer = self._loop.call_later(LOOK_EVERY, self._look)
