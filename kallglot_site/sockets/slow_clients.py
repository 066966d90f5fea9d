"""Ends connections of clients that send a request, or read what is sent to them, too slowly.

The servers end silent connections at most. A client that sends or reads a byte now and then could
keep its connection, and with it a file descriptor and unsent data, for ever.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Final

from django.conf import settings

REQUEST_WITHIN: Final = 30.0
"""Seconds until the first byte of a request, and then until all of it has come, with its body."""

LOOK_EVERY: Final = 1.0
"""Seconds."""

_BYTES_ACKED: Final = slice(120, 128)
"""``tcpi_bytes_acked`` in ``struct tcp_info`` (linux/tcp.h)."""


class ReadRate:
    """Measures whether a client reads what waits for it.

    At the end of each window the client must have read all that waited at its beginning, or
    ``settings.CLIENT_READ_RATE`` bytes for each of its ``settings.CLIENT_READ_WINDOW`` seconds.
    What a quiet connection sends now and then is therefore never too little.

    Args:
        raw: the connection's socket.
        buffered: how many bytes the server still holds for the client.
    """

    def __init__(self, raw: socket.socket, buffered: Callable[[], int]) -> None:
        self._raw = raw
        self._buffered = buffered
        self._due = self._before = 0
        self._fell = False
        self._received = 0
        self._since = 0.0

    def unread(self) -> int:
        """Bytes that the client has not received: the server's and, on Linux, the system's."""
        return self._buffered() + _queued_by_system(self._raw)

    def is_too_slow(self, now: float) -> bool:
        """To be called every second or so. ``now`` is the event loop's time.

        Raises OSError when the socket is closed.
        """
        if self._due == 0:
            self._begin(now)
            return False
        unread = self.unread()
        self._fell = self._fell or unread < self._before
        self._before = unread
        if now - self._since < settings.CLIENT_READ_WINDOW:
            return False
        received = _acknowledged(self._raw)
        if received is None:  # whether anything was read is all that can be seen
            is_too_slow = not self._fell
        else:
            enough = settings.CLIENT_READ_RATE * settings.CLIENT_READ_WINDOW
            is_too_slow = received - self._received < min(self._due, enough)
        self._begin(now)
        return is_too_slow

    def _begin(self, now: float) -> None:
        self._due = self._before = self.unread()
        self._fell = False
        self._received = _acknowledged(self._raw) or 0
        self._since = now


class UnreadWatch:
    """Ends one WebSocket when its client reads too slowly.

    Args:
        rate: what the client reads.
        end: closes the connection at once, without sending what waits.
    """

    def __init__(self, rate: ReadRate, end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._rate = rate
        self._end = end
        self._timer = self._loop.call_later(LOOK_EVERY, self._look)

    def stop(self) -> None:
        """The connection is closed."""
        self._timer.cancel()

    def _look(self) -> None:
        try:
            is_too_slow = self._rate.is_too_slow(self._loop.time())
        except OSError:
            return  # the socket is closed
        if is_too_slow:
            self._end()
        else:
            self._timer = self._loop.call_later(LOOK_EVERY, self._look)


class HttpWatch:
    """Ends one connection when its client sends a request, or reads an answer, too slowly.

    Args:
        rate: what the client reads.
        end: closes the connection at once, without sending what waits.
    """

    def __init__(self, rate: ReadRate, end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._rate = rate
        self._end = end
        self._due_since = self._loop.time()
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

    def unread(self) -> int:
        """Bytes of answers that the client has not received."""
        return self._rate.unread()

    def stop(self) -> None:
        """The connection is closed, or is no longer HTTP."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        try:
            if self.idle and self._rate.unread():
                self._due_since = now  # it is still receiving the answer before
            is_too_slow = self._rate.is_too_slow(now)
        except OSError:
            return  # the socket is closed
        if is_too_slow or (self._waiting and now - self._due_since >= REQUEST_WITHIN):
            self._end()
        else:
            self._timer = self._loop.call_later(LOOK_EVERY, self._look)


def _acknowledged(raw: socket.socket) -> int | None:
    """How many bytes the client's system has confirmed. None: this system does not tell."""
    if sys.platform != "linux" or raw.family == socket.AF_UNIX:
        return None
    info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.stop)
    return int.from_bytes(info[_BYTES_ACKED], sys.byteorder)


def _queued_by_system(raw: socket.socket) -> int:
    """Bytes in the system's send buffer, which can hold megabytes for a slow client."""
    if sys.platform != "linux":
        return 0
    if raw.fileno() < 0:
        raise OSError("the socket is closed")
    answer: bytes = fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4))
    (queued,) = struct.unpack("i", answer)
    return int(queued)
