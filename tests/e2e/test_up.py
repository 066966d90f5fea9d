"""`manage.py up`: one command starts all processes, and they all end with it."""

import os
import signal
import socket
import subprocess
import time

import httpx
import psutil
import pytest

from tests.e2e.server import MANAGE, ROOT, Server, clean_environment, running

TIMEOUT = 60  # seconds


def processes_of(server: Server) -> list[psutil.Process]:
    """All processes that use the server's data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("KALLGLOT_DATA_DIR") == str(server.data_dir):
                found.append(process)
        except psutil.Error:
            continue
    return found


def one(server: Server, command: str) -> psutil.Process:
    """The process that runs ``command``, without the children it forked."""
    running = [p for p in processes_of(server) if command in p.cmdline()]
    return min(running, key=lambda process: process.create_time())


def ready(server: Server) -> httpx.Response:
    """The response of /readyz once it is 200. Connections are refused until the gateway is back."""
    deadline = time.monotonic() + TIMEOUT
    with httpx.Client(timeout=5, trust_env=False) as client:
        while True:
            try:
                answer = client.get(f"{server.url}/readyz")
                if answer.status_code == 200:
                    return answer
            except httpx.TransportError:
                answer = None
            assert time.monotonic() < deadline, answer and answer.text
            time.sleep(0.2)


def up(server: Server, port: int) -> subprocess.CompletedProcess[str]:
    return server.manage("up", f"--port={port}", check=False)


def test_it_says_once_that_it_is_ready_and_answers(server):
    assert [line for line in server.output if line.startswith("ready ")] == [
        f"ready {server.url}\n"
    ]
    answer = ready(server).json()  # the translator and the voice may still be loading
    assert answer["status"] == "ready"
    assert answer["checks"] == {
        name: {"ok": True, "reason": ""} for name in ("database", "broker", "engine")
    }


def test_it_tells_how_to_create_the_first_organization(server):
    assert any("manage.py bootstrap --organization NAME" in line for line in server.output)


def test_a_second_up_on_the_same_data_is_refused(server):
    refused = up(server, 1)
    assert refused.returncode == 2
    assert f"Another `up` is running on {server.data_dir}, serving {server.url}" in refused.stderr


def test_a_port_in_use_gives_a_plain_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = subprocess.run(
            [*MANAGE, "up", f"--port={port}"],
            env=clean_environment(tmp_path),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert refused.returncode == 2
    assert f"Cannot listen on 127.0.0.1 port {port}" in refused.stderr
    assert "--port" in refused.stderr


def test_a_wrong_setting_stops_the_start_with_a_plain_error(tmp_path):
    refused = subprocess.run(
        [*MANAGE, "up"],
        env=clean_environment(tmp_path, KALLGLOT_ENVIRONMENT="production"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert refused.returncode == 2
    assert (
        "Set it to the URL that customers use, such as https://api.example.com." in refused.stderr
    )


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_it_restarts_killed_processes_and_stops_all_of_them(tmp_path, kind):
    with running(tmp_path, server=kind) as server:
        killed = [one(server, name) for name in ("gateway", "worker", "clock")]
        for process in killed:
            process.kill()
        psutil.wait_procs(killed, timeout=TIMEOUT)
        ready(server)
        everything = processes_of(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=TIMEOUT) == 0
        assert psutil.wait_procs(everything, timeout=5)[1] == []
        assert server.output[-1] == "stopped\n"


def test_no_process_is_left_when_it_is_killed(tmp_path):
    with running(tmp_path) as server:
        everything = processes_of(server)
        assert len(everything) >= 4
        os.kill(server.process.pid, signal.SIGKILL)
        assert psutil.wait_procs(everything, timeout=TIMEOUT)[1] == []
