"""A WebSocket client on a plain socket, for what client libraries do not allow."""

import json
import os
import select
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING = 0x1, 0x2, 0x8, 0x9
TIMEOUT = 30.0  # seconds


class RawSocket:
    """Connected and upgraded. Reads only when told to, and never answers pings.

    Args:
        url: ``ws://host:port/path?query``.
        receive_buffer: size in bytes of the system's receive buffer.
    """

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((parts.hostname, parts.port))
        self._unread = b""
        request = (
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self.socket.sendall(request.encode())
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._receive()
        self.answer, _, self._unread = self._unread.partition(b"\r\n\r\n")

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # --- out ----------------------------------------------------------------------------------

    def send(self, **message: Any) -> None:
        self.socket.sendall(frame(TEXT, json.dumps(message).encode()))

    # --- in -----------------------------------------------------------------------------------

    def next(self, kind: str) -> dict[str, Any]:
        """The next message of that type."""
        while True:
            opcode, payload = self.next_frame()
            assert opcode != CLOSE, f"closed with {struct.unpack('!H', payload[:2])[0]}"
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                if message["type"] == kind:
                    return message

    def close_code(self) -> int:
        """The server's close code; 1006 if it drops the connection without one."""
        try:
            while True:
                opcode, payload = self.next_frame()
                if opcode == CLOSE:
                    code: int = struct.unpack("!H", payload[:2])[0]
                    return code
        except (ConnectionError, BrokenPipeError):
            return 1006

    def next_frame(self) -> tuple[int, bytes]:
        head = self._take(2)
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        return head[0] & 0x0F, self._take(size)

    def rest(self) -> bytes:
        """Everything until the server drops the connection."""
        try:
            while True:
                self._unread += self._receive()
        except ConnectionError:
            return self._unread

    def read_at(self, rate: int, seconds: float) -> None:
        """Receive ``rate`` bytes a second for a while. ``next`` returns the messages afterwards."""
        self._unread += read_at(self.socket, rate, seconds)

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._unread += self._receive()
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server dropped the connection")
        return data

    def dropped_within(self, seconds: float) -> float | None:
        """Seconds until the server drops the connection; None: it does not. Reads nothing."""
        began = time.monotonic()
        return time.monotonic() - began if is_dropped(self.socket, seconds) else None


def is_dropped(raw: socket.socket, within: float) -> bool:
    """Whether the server ends the connection within so many seconds. Reads nothing."""
    poll = select.poll()
    poll.register(raw, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(within * 1000))


def read_at(raw: socket.socket, rate: int, seconds: float) -> bytes:
    """What is received in that time by a client that reads ``rate`` bytes a second."""
    received, began = b"", time.monotonic()
    while time.monotonic() - began < seconds:
        piece = raw.recv(rate // 10)
        assert piece, f"cut after {len(received)} bytes"
        received += piece
        time.sleep(0.1)
    return received


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A masked frame, as clients must send."""
    head = struct.pack("!B", (0x80 if final else 0) | opcode)
    size = len(payload)
    if size < 126:
        head += struct.pack("!B", 0x80 | size)
    elif size < 65536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    mask = os.urandom(4)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
    return head + mask + masked
