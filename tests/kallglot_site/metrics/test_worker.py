"""A worker's port for metrics: slow clients, and a second worker with the same port."""

import functools
import itertools
import queue
import socket
import subprocess
import sys
import threading
import time

import pytest
from django.core.management import CommandError, call_command

from kallglot_site.metrics import worker
from tests.fakes.sockets import TIMEOUT

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
OTHER_WORKER = """
import fcntl, sys
held = open(sys.argv[1], "w")
fcntl.lockf(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listening(settings, monkeypatch):
    """Start a server on a free port of this address; returns a function that connects to it."""
    settings.METRICS_TOKEN = ""
    settings.PRODUCTION = False
    monkeypatch.setattr(worker, "worker_text", lambda: b"kallglot_numbers 1\n")
    servers = []

    def listen(host="127.0.0.1"):
        server = worker.server_at(host, 0)
        servers.append(server)
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        port = server.server_address[1]
        return lambda: socket.create_connection((host, port), timeout=TIMEOUT)

    yield listen
    for server in servers:
        server.shutdown()
        server.server_close()


def answer(client: socket.socket, request: bytes = REQUEST) -> bytes:
    """All that the server sends before it closes the connection. Empty: nothing."""
    try:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(4096), b""))
    except ConnectionError:
        return b""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_answers_on_ipv4_and_ipv6(listening, host):
    with listening(host)() as client:
        assert answer(client).endswith(b"\r\n\r\nkallglot_numbers 1\n")


def test_a_client_that_sends_byte_by_byte_is_disconnected_after_ten_seconds(listening, monkeypatch):
    seconds = itertools.count()
    looks: queue.Queue[None] = queue.Queue()

    def clock():
        looks.put(None)
        return float(next(seconds))

    monkeypatch.setattr(
        worker, "RequestReader", functools.partial(worker.RequestReader, clock=clock)
    )
    with listening()() as client:
        looks.get(timeout=TIMEOUT)  # the connection is accepted at 0 s
        for _ in range(9):
            looks.get(timeout=TIMEOUT)  # it waits for the next byte
            client.sendall(b"x")
        looks.get(timeout=TIMEOUT)
        assert client.recv(1) == b""


def test_clients_beyond_the_limit_are_disconnected_until_another_has_left(listening, monkeypatch):
    monkeypatch.setattr(worker, "_CLIENTS", 1)
    connect = listening()
    with connect() as slow, connect() as refused:
        assert answer(refused) == b""
        assert b" 200 " in answer(slow)
    deadline = time.monotonic() + TIMEOUT
    while True:
        with connect() as client:
            if b" 200 " in answer(client):
                return
        assert time.monotonic() < deadline


def test_a_client_that_leaves_causes_no_traceback(listening, monkeypatch, capsys):
    ended = threading.Event()
    monkeypatch.setattr(worker, "worker_text", _client_left)
    shutdown = worker._Server.shutdown_request

    def noting(self, request):
        shutdown(self, request)
        ended.set()

    monkeypatch.setattr(worker._Server, "shutdown_request", noting)
    with listening()() as client:
        answer(client)
    assert ended.wait(TIMEOUT)
    assert capsys.readouterr().err == ""


def _client_left():
    raise ConnectionResetError


@pytest.fixture
def other_worker(settings, tmp_path):
    """Another process holds the folder of port 9101 in this data directory."""
    settings.DATA_DIR = tmp_path
    (tmp_path / "metrics").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_WORKER, str(tmp_path / "metrics" / "worker-9101.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_worker_with_the_same_port_is_refused_and_keeps_its_numbers(
    other_worker, tmp_path
):
    numbers = tmp_path / "metrics" / "worker-9101" / "counter_1.db"
    numbers.parent.mkdir()
    numbers.touch()
    with pytest.raises(
        CommandError, match=r"^Another worker on .* has --metrics-port 9101"
    ) as found:
        call_command("worker", "--skip-checks", "--metrics-host=127.0.0.2", "--metrics-port=9101")
    assert "\n" not in str(found.value)
    assert numbers.exists()


def test_a_worker_with_another_port_is_not_refused(other_worker):
    worker.folder_hold(9102)


@pytest.mark.django_db
def test_a_port_that_was_taken_after_the_check_gives_a_plain_error(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(worker, "counted_in_files", lambda port: True)
    monkeypatch.setattr("kallglot_site.backing_services.broker", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            CommandError, match=f"Cannot listen on 127.0.0.1 port {port}: "
        ) as found:
            call_command("worker", "--skip-checks", f"--metrics-port={port}")
    assert "--metrics-port" in str(found.value)


def test_the_port_of_the_gateway_cannot_be_that_of_the_worker(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(CommandError, match="must not be the same"):
        call_command("up", "--skip-checks", f"--port={port}", f"--worker-metrics-port={port}")
