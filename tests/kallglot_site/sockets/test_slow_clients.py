"""Slow HTTP clients and stopping servers, over real sockets under both servers."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.raw_socket import is_dropped
from tests.kallglot_site.sockets.serving import Serving, seconds_until_closed, serving

pytestmark = pytest.mark.e2e

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def test_a_silent_connection_is_closed(server: Serving) -> None:
    with server.connect() as raw:
        assert seconds_until_closed(raw) < 5


@pytest.mark.parametrize(
    "beginning",
    [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["header", "body", "chunked body"],
)
@pytest.mark.parametrize("kept", [False, True], ids=["first request", "kept connection"])
def test_a_request_that_comes_byte_by_byte_is_ended(
    server: Serving, beginning: bytes, kept: bool
) -> None:
    piece = b"1\r\nx\r\n" if b"chunked" in beginning else b"x"
    with server.connect() as raw:
        if kept:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.recv(65536)
            time.sleep(0.2)
        raw.sendall(beginning)
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.2):
                with contextlib.suppress(OSError):
                    raw.sendall(piece)

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert seconds_until_closed(raw) < 6
        finally:
            stop.set()
            thread.join()


def test_a_client_that_reads_nothing_is_disconnected_and_costs_no_memory(server: Serving) -> None:
    process = psutil.Process(server.process.pid)
    before, sockets = process.memory_info().rss, len(process.net_connections())
    with server.connect(receive_buffer=4096) as raw:
        raw.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 10
        time.sleep(1)
        assert process.memory_info().rss - before < 32 * 1024 * 1024
        while len(process.net_connections()) > sockets:
            assert time.monotonic() < deadline, "the connection is still open"
            time.sleep(0.2)


@pytest.mark.parametrize("path", ["/large", "/medium"])
def test_a_client_that_reads_byte_by_byte_is_disconnected(server: Serving, path: str) -> None:
    """The system's buffer holds all of the medium answer: the server has nothing left to send."""
    with server.connect(receive_buffer=4096) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        deadline = time.monotonic() + 15
        while not is_dropped(raw, within=0.05):
            assert time.monotonic() < deadline, "the connection is still open"
            assert raw.recv(1)


def test_a_slow_line_gets_the_whole_answer_and_keeps_its_connection(server: Serving) -> None:
    """Longer than the limits for an idle connection and for a window, at 30 kB/s."""
    with server.connect(receive_buffer=4096) as raw:
        raw.sendall(b"GET /medium HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while not received.endswith(b"done") and not received.endswith(b"0\r\n\r\n"):
            piece = raw.recv(3000)
            assert piece, f"cut after {len(received)} bytes"
            received += piece
            time.sleep(0.1)
        assert received.count(b"x") == 300_000
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_reads_slowly_gets_everything(server: Serving) -> None:
    with server.connect(receive_buffer=65536) as raw:
        raw.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received, began = 0, time.monotonic()
        while piece := raw.recv(1024 * 1024):
            received += len(piece)
            if time.monotonic() - began < 4:
                time.sleep(0.1)
    assert received >= 2000 * 65536


@pytest.mark.parametrize("name", ["daphne", "uvicorn"])
def test_a_stopping_server_lets_open_requests_end(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as server, server.connect() as raw:
        raw.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.line() == "working"
        idle = server.connect()
        server.process.send_signal(signal.SIGTERM)
        received = b""
        while piece := raw.recv(65536):
            received += piece
        assert b"done" in received
        assert server.process.wait(timeout=10) == 0
        idle.close()


@pytest.mark.parametrize("name", ["daphne", "uvicorn"])
def test_a_stopping_server_refuses_new_connections(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as server, server.connect() as raw:
        raw.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.line() == "working"
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        assert raw.recv(65536)


def test_text_that_is_not_utf8_is_closed_with_1007_and_no_traceback(
    server: Serving, tmp_path: Path
) -> None:
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    with server.connect() as raw:
        raw.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n" + key + b"\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 101")
        raw.sendall(b"\x81\x82\0\0\0\0\xff\xfe")
        close = raw.recv(65536)
        assert close[:1] == b"\x88"
        assert int.from_bytes(close[2:4], "big") == 1007

    assert "Traceback" not in server.stderr()
    assert "rror" not in server.stderr()
