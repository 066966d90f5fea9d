"""Clients that read a recording or the events of a call slowly: byte by byte, or on a slow line."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.raw_socket import TEXT, frame, is_dropped, read_at
from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import ROOT, Server, running, same_size
from tests.e2e.test_hostile_sockets import Call, audio

WINDOW = 3.0
"""Seconds over which this server averages how fast a client reads."""

SLOW_LINE = 20_000
"""Bytes a second."""

LARGE = 8 * 1024 * 1024
"""Bytes of a recording: more than the system buffers for one connection."""

pytestmark = pytest.mark.one_pass

LONG_TEXT = "".join(f" and number {number}" for number in range(10_000))
"""Added to each sentence. Not one text repeated, which the engine would remove."""

TIMEOUT = 60  # seconds


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    engine = ScriptedEngine(trailer=LONG_TEXT)
    settings = {"TRANSCRIBER_URL": engine.url, "KALLGLOT_CLIENT_READ_WINDOW": str(WINDOW)}
    folder = tmp_path_factory.mktemp(request.param)
    with (
        same_size() as databases,
        running(folder, server=request.param, settings={**databases, **settings}) as server,
    ):
        yield server
    engine.shutdown()


@pytest.fixture(scope="module")
def recording(installation: Server) -> str:
    """The path of a recording's audio."""
    script = ROOT / "tests/e2e/recording_maker.py"
    organization = installation.credentials.organization_id
    made = subprocess.run(
        [sys.executable, str(script), organization, "1", str(LARGE)],
        env=installation.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    return f"/v1/recordings/{made.stdout.split()[0]}/audio"


@pytest.fixture
def call(installation: Server) -> Call:
    with installation.client() as client:
        answer = client.post("/v1/sessions", json={"mode": "transcription"})
        assert answer.status_code == 201, answer.text
        return Call(installation, answer.json()["id"])


def download(server: Server, path: str) -> socket.socket:
    """A connection on which the recording was requested and nothing is read yet."""
    parts = urlsplit(server.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    raw.settimeout(TIMEOUT)
    raw.connect((parts.hostname, parts.port))
    raw.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.credentials.live_key}\r\n\r\n".encode()
    )
    return raw


def read_byte_by_byte_until_dropped(raw: socket.socket) -> None:
    deadline = time.monotonic() + WINDOW * 6
    while not is_dropped(raw, within=0.05):
        assert time.monotonic() < deadline, "the connection is still open"
        assert raw.recv(1)


def say_until_much_waits(call: Call) -> int:
    """Make about 1 MB of events. Returns the number of finals."""
    with call.raw() as speaker:
        for number in range(6):
            for each in audio(1.0, number * 25):
                speaker.socket.sendall(frame(TEXT, each))
            speaker.next("transcript.final")
    return 6


def test_who_reads_a_recording_byte_by_byte_is_disconnected(installation, recording):
    with download(installation, recording) as raw:
        read_byte_by_byte_until_dropped(raw)


def test_a_slow_line_gets_the_whole_recording(installation, recording):
    with download(installation, recording) as raw:
        received = read_at(raw, SLOW_LINE, WINDOW * 4)
        while piece := raw.recv(1024 * 1024):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == LARGE


def test_who_reads_events_byte_by_byte_is_disconnected(call):
    with call.raw("none", receive_buffer=4096) as listener:
        say_until_much_waits(call)
        read_byte_by_byte_until_dropped(listener.socket)


def test_a_slow_line_gets_all_events(call):
    with call.raw("none", receive_buffer=4096) as listener:
        finals = say_until_much_waits(call)
        listener.read_at(SLOW_LINE, WINDOW * 4)
        for _ in range(finals):
            assert "number 9999" in listener.next("transcript.final")["text"]
