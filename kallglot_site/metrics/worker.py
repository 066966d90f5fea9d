"""A worker's own port for metrics.

Its jobs run in several processes, which write their numbers to files (the multiprocess mode of
prometheus_client). The worker's main process sums them when it is asked. It cannot show gauges of
single processes, and a worker has none.
"""

import os
import shutil
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import prometheus_client
from celery.signals import worker_process_init
from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from kallglot_site.metrics import access

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def counted_in_files(port: int) -> bool:
    """Whether this process was started with a folder for its numbers (``start_anew``)."""
    return os.environ.get(_VARIABLE) == str(_folder(port))


def start_anew(port: int) -> None:
    """Replace this process by the same command with an empty folder for its numbers.

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
    server = _Server((host, port), _Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def close(**_: Any) -> None:
        server.socket.close()  # a job's process would hold the port after the worker has ended

    worker_process_init.connect(close, weak=False)


class _Summed(Collector):
    """The numbers of all processes, without gauges: those of modules that a worker only imports."""

    def collect(self) -> Iterable[Metric]:
        files: Collector = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
        return [metric for metric in files.collect() if metric.type != "gauge"]


def worker_text() -> bytes:
    registry = CollectorRegistry()
    registry.register(_Summed())
    return generate_latest(registry)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a client may take to send or read
    server_version = "Kallglot"
    sys_version = ""

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
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Monitoring asks every few seconds: not logged."""
