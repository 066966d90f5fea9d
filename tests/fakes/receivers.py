"""A webhook receiver on a real socket, scripted from the test.

Each connection is served by a thread. ``script`` decides per request; the default answers 200.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from webhooks_app.delivery.urls import CheckedUrl


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.body)
        return event


Script = Callable[[Received, socket.socket], None]


def reply(status: int = 200, body: bytes = b"ok", headers: dict[str, str] | None = None) -> Script:
    """A complete response on a connection that stays open."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def script(received: Received, connection: socket.socket) -> None:
        connection.sendall(raw)

    return script


@dataclass
class Receiver:
    port: int
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    script: Script = field(default_factory=reply)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> CheckedUrl:
        return CheckedUrl(f"http://127.0.0.1:{self.port}/hook")

    def wait(self, count: int, timeout: float = 30.0) -> None:
        """Wait until ``count`` requests have arrived."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, timeout), (
                f"{len(self.received)} of {count} requests arrived"
            )


def _read_request(stream) -> Received | None:
    start = stream.readline()
    if not start:
        return None
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(start.split()[1].decode(), headers, body)


def _serve(receiver: Receiver, connection: socket.socket) -> None:
    with suppress(OSError, ValueError), connection:
        connection.settimeout(60)
        stream = connection.makefile("rb")
        while (request := _read_request(stream)) is not None:
            with receiver.changed:
                receiver.received.append(request)
                receiver.changed.notify_all()
            receiver.script(request, connection)
            if connection.fileno() < 0:
                return


@contextmanager
def receiving(
    script: Script | None = None, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[Receiver]:
    """A receiver that listens within the block."""
    listener = socket.create_server(("127.0.0.1", port))
    receiver = Receiver(listener.getsockname()[1])
    if script is not None:
        receiver.script = script
    open_connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            receiver.connections += 1
            open_connections.append(connection)
            threading.Thread(target=_serve, args=(receiver, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield receiver
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_connections:
            with suppress(OSError):
                connection.close()
