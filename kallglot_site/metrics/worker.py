"""A worker's own port for metrics.

Its jobs run in several processes, which write their numbers to files (the multiprocess mode of
prometheus_client). The worker's main process sums them when it is asked. It cannot show gauges of
single processes, and a worker has none.

The files of a worker are in a folder named after its port. A lock keeps a second worker out of it,
also one in another container or on another address.
"""

import fcntl
import io
import os
import shutil
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import prometheus_client
from celery.signals import worker_process_init
from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from kallglot_site.metrics import access

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_READ_SECONDS: Final = 10.0
"""How long a client may take to send its whole request, and then to read the answer."""
_CLIENTS: Final = 16
"""Clients answered at once. Others are disconnected: a scrape takes milliseconds."""


Clock = Callable[[], float]


class FolderInUse(Exception):
    """Another worker counts for this port in this data directory."""


def folder_hold(port: int) -> None:
    """Keep the folder of this port until the process ends. Raises FolderInUse.

    A record lock stays with the process when it replaces itself, as ``start_anew`` does, and
    processes that it forks do not get it.
    """
    path = _folder(port).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # closing it would end the lock
    os.set_inheritable(held, True)
    try:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(held)
        raise FolderInUse from None


def counted_in_files(port: int) -> bool:
    """Whether this process was started with a folder for its numbers (``start_anew``)."""
    return os.environ.get(_VARIABLE) == str(_folder(port))


def start_anew(port: int) -> None:
    """Replace this process by the same command with an empty folder for its numbers.

    Belongs after ``folder_hold``: what the folder has is deleted.

    prometheus_client decides when it is first imported whether numbers go to files, and Django
    imports it before any command runs.
    """
    folder = _folder(port)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[_VARIABLE] = str(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command that runs already


def _folder(port: int) -> Path:
    return Path(settings.DATA_DIR) / "metrics" / f"worker-{port}"


def serve(host: str, port: int) -> None:
    """Answer ``/metrics`` there, from a thread. Raises OSError."""
    server = server_at(host, port)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def close(**_: Any) -> None:
        server.socket.close()  # a job's process would hold the port after the worker has ended

    worker_process_init.connect(close, weak=False)


def server_at(host: str, port: int) -> "_Server":
    """A server that listens there, IPv4 or IPv6. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return _Server(family, address)


class _Summed(Collector):
    """The numbers of all processes, without gauges: those of modules that a worker only imports."""

    def collect(self) -> Iterable[Metric]:
        files: Collector = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
        return [metric for metric in files.collect() if metric.type != "gauge"]


def worker_text() -> bytes:
    registry = CollectorRegistry()
    registry.register(_Summed())
    return generate_latest(registry)


class _Server(socketserver.ThreadingTCPServer):
    """Not an HTTPServer: that looks up the name of its address, which may take long."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self._places = threading.BoundedSemaphore(_CLIENTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # its thread could not be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client left
            super().handle_error(request, client_address)


class RequestReader(io.RawIOBase):
    """Reads from a connection until a deadline. ``clock`` gives seconds."""

    def __init__(self, connection: socket.socket, clock: Clock = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._until = clock() + _READ_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError after the deadline, however many bytes have come until then."""
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server_version = "Kallglot"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(RequestReader(self.connection))

    def do_GET(self) -> None:
        allowed = access.may_read(
            authorization=self.headers.get("Authorization", "").encode("latin-1", "replace"),
            client=self.client_address[0],
            forwarded="X-Forwarded-For" in self.headers or "Forwarded" in self.headers,
        )
        if self.path != "/metrics":
            self._send(404, b"Only /metrics is answered here.\n")
        elif not allowed:
            self._send(403, f"{access.REFUSED}\n".encode())
        else:
            self._send(200, worker_text(), prometheus_client.CONTENT_TYPE_LATEST)

    def _send(self, status: int, body: bytes, content_type: str = "text/plain") -> None:
        self.connection.settimeout(_READ_SECONDS)  # of all that is written, not of each packet
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Monitoring asks every few seconds: not logged."""
