"""A bare ASGI application under the real servers, in a process of its own, with short limits."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, sys
import django
django.setup()
from kallglot_site import servers
from kallglot_site.sockets import http_under_daphne, slow_clients, under_daphne
under_daphne.install(); http_under_daphne.install()
slow_clients.REQUEST_WITHIN = 2.0
slow_clients.LOOK_EVERY = 0.2

async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    body = True
    while body:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body = message.get("more_body")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/large":
        for _ in range(2000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    if scope["path"] == "/medium":
        await send({"type": "http.response.body", "body": b"x" * 300_000, "more_body": True})
    if scope["path"] == "/slow":
        print("working", flush=True)
        await asyncio.sleep(1.5)
    await send({"type": "http.response.body", "body": b"done"})

async def nothing():
    print("ready", flush=True)

async def drain():
    pass

servers.serve(sys.argv[1], application, host="127.0.0.1", port=int(sys.argv[2]),
              start=nothing, drain=drain)
"""


class Serving:
    def __init__(self, process: "subprocess.Popen[str]", port: int, folder: Path) -> None:
        self.process = process
        self.port = port
        self._folder = folder

    def stderr(self) -> str:
        return (self._folder / "stderr").read_text()

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(15)
        raw.connect(("127.0.0.1", self.port))
        return raw

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def serving(server: str, folder: Path) -> Iterator[Serving]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server, str(port)],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kallglot_site.settings",
            "KALLGLOT_DATA_DIR": str(folder),
            "KALLGLOT_CLIENT_READ_WINDOW": "2",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    try:
        found = Serving(process, port, folder)
        assert found.line() == "ready", (folder / "stderr").read_text()
        wait_until_listening(port)
        yield found
    finally:
        process.kill()
        process.wait()


def wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def seconds_until_closed(raw: socket.socket) -> float:
    """How long the server keeps a connection open on which it is read until the end."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while raw.recv(65536):
            pass
    return time.monotonic() - began
