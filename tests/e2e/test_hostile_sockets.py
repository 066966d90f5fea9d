"""Slow, silent, flooding and lost clients on real sockets must not harm the server."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.raw_socket import BINARY, PING, TEXT, TIMEOUT, RawSocket, frame
from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import Server, running, same_size
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import mulaw

pytestmark = pytest.mark.one_pass

SILENCE = 6.0
"""Seconds without any message after which this server closes a connection."""

MAX_GROWTH = 48 * 1024 * 1024
"""Bytes that the gateway may grow by during a flood of many times as much."""


@dataclass
class Call:
    """A running installation and one of its sessions."""

    server: Server
    session_id: str

    def url(self, speaker: str = "customer") -> str:
        """With a new token."""
        with self.server.client() as client:
            stream = client.get(f"/v1/sessions/{self.session_id}").json()["stream"]
        return f"{stream['url']}?token={stream['token']}&speaker={speaker}&clock=media"

    @contextlib.contextmanager
    def raw(
        self, speaker: str = "customer", receive_buffer: int | None = None
    ) -> Iterator[RawSocket]:
        with RawSocket(self.url(speaker), receive_buffer=receive_buffer) as raw:
            raw.next("session.ready")
            yield raw

    @property
    def gateway(self) -> psutil.Process:
        processes = psutil.Process(self.server.process.pid).children(recursive=True)
        return next(each for each in processes if "gateway" in each.cmdline())

    @property
    def memory(self) -> int:
        """Resident memory of the gateway, in bytes."""
        resident: int = self.gateway.memory_info().rss
        return resident

    def streams(self) -> int:
        """Open connections of the gateway."""
        with self.server.client() as client:
            lines = client.get("/metrics").text.splitlines()
        line = next(line for line in lines if line.startswith("kallglot_live_streams "))
        return int(float(line.split()[1]))


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    engine = ScriptedEngine(trailer=" And so on." * 10_000)
    settings = {"TRANSCRIBER_URL": engine.url, "KALLGLOT_STREAM_SILENCE": str(SILENCE)}
    folder = tmp_path_factory.mktemp(request.param)
    with (
        same_size() as databases,
        running(folder, server=request.param, settings={**databases, **settings}) as server,
    ):
        yield server
    engine.shutdown()


@pytest.fixture
def call(installation: Server) -> Call:
    with installation.client() as client:
        answer = client.post("/v1/sessions", json={"mode": "transcription"})
        assert answer.status_code == 201, answer.text
        return Call(installation, answer.json()["id"])


class Reader(threading.Thread):
    """A correct client that reads everything."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.socket = connect(url, proxy=None, max_size=None, legacy=True)
        self.types: list[str] = []
        self.close_code: int | None = None
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.types.append(json.loads(self.socket.recv())["type"])
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006


def audio(seconds: float, sequence: int) -> list[bytes]:
    """Messages of an utterance of ``seconds`` and the silence after it."""
    samples = np.concatenate([speech(seconds), silence(1.5)])
    return [
        json.dumps(
            {
                "type": "audio.input",
                "sequence": sequence + number,
                "timestamp_ms": (sequence + number) * 100,
                "audio": mulaw(samples[number * 800 : (number + 1) * 800]),
            }
        ).encode()
        for number in range(len(samples) // 800)
    ]


# --- slow and silent -----------------------------------------------------------------------------


def test_a_listener_that_never_reads_is_dropped_without_harm_to_others(call):
    reader = Reader(call.url("none"))
    with call.raw("none", receive_buffer=4096) as listener, call.raw() as speaker:
        before, sent = call.memory, 0
        gone = None
        deadline = time.monotonic() + 60
        while gone is None and time.monotonic() < deadline:
            for each in audio(1.0, sent):
                speaker.socket.sendall(frame(TEXT, each))
                sent += 1
            speaker.next("transcript.final")
            gone = listener.dropped_within(0)
        assert gone is not None
        assert call.memory - before < MAX_GROWTH
        speaker.send(type="ping", timestamp_ms=1)
        speaker.next("pong")
        assert call.streams() == 2
    finals = reader.types.count("transcript.final")
    assert reader.close_code is None
    assert finals >= sent // 25 - 1
    reader.socket.close()


def test_clients_that_send_nothing_are_dropped_in_time(call):
    """Their system acknowledges what is sent, but they send neither pong nor close frame."""
    with call.raw() as speaker, call.raw("none") as listener, call.raw("none") as partial_sender:
        partial_sender.socket.sendall(frame(TEXT, b'{"type": "ping"}')[:9])
        for client in (speaker, listener, partial_sender):
            # The server waits some seconds for an answer to its close frame.
            assert client.dropped_within(SILENCE + 8) is not None
        assert call.streams() == 0


def test_a_client_that_stopped_reading_is_dropped_with_messages_waiting(call):
    with call.raw("none", receive_buffer=4096) as stopped, call.raw() as speaker:
        for each in audio(1.0, 0):
            speaker.socket.sendall(frame(TEXT, each))
        speaker.next("transcript.final")
        assert stopped.dropped_within(SILENCE + 8) is not None


def test_a_client_that_only_answers_pings_is_closed_if_it_is_a_speaker(call):
    speaker, listener = Reader(call.url()), Reader(call.url("none"))
    speaker.join(SILENCE + 10)
    assert speaker.close_code == 4408
    time.sleep(SILENCE)
    assert listener.close_code is None
    listener.socket.close()


def test_a_frame_may_arrive_byte_by_byte(call):
    with call.raw() as slow, call.raw("agent") as quick:
        for byte in frame(TEXT, b'{"type": "ping", "timestamp_ms": 5}'):
            slow.socket.sendall(bytes([byte]))
            quick.send(type="ping", timestamp_ms=1)
            quick.next("pong")
            time.sleep(0.02)
        assert slow.next("pong")["timestamp_ms"] == 5


# --- floods --------------------------------------------------------------------------------------


def flood(raw: RawSocket, data: bytes, times: int) -> None:
    """Send ``data`` so many times, or until the server stops reading. Reads nothing."""
    raw.socket.settimeout(5)
    with contextlib.suppress(OSError):
        for _ in range(times):
            raw.socket.sendall(data)
    raw.socket.settimeout(TIMEOUT)


def test_a_flood_of_pings_is_refused(call):
    with call.raw() as raw:
        flood(raw, frame(TEXT, b'{"type": "ping"}'), 500)
        assert raw.close_code() == 4429


def test_a_flood_of_tiny_frames_is_refused(call):
    with call.raw() as raw:
        start = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1}
        raw.send(type="audio.start", audio=start)
        flood(raw, frame(BINARY, b"\xff") * 100, 100)
        assert raw.close_code() == 4429


@pytest.mark.parametrize(
    "tiny",
    [
        pytest.param(frame(PING, bytes(125)), id="pings"),
        pytest.param(frame(0x0, b"", final=False), id="empty fragments"),
    ],
)
def test_a_flood_of_control_frames_is_refused_and_uses_no_memory(call, tiny):
    """The application counts messages, and never sees frames that belong to none."""
    before = call.memory
    with call.raw(receive_buffer=4096) as raw:
        raw.socket.sendall(frame(TEXT, b"", final=False))
        began = time.monotonic()
        flood(raw, tiny * 1000, 1000)
        assert time.monotonic() - began < 20
        assert call.memory - before < MAX_GROWTH
        assert raw.dropped_within(15) is not None


# --- too large -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "code"), [(64 * 1024 + 1, 4413), (300_000, 1009), (5_000_000, 1009)]
)
def test_a_frame_that_is_too_large_is_refused_with_a_code(call, size, code):
    before = call.memory
    data = frame(BINARY, bytes(size))
    with call.raw() as raw:
        for start in range(0, size, 50_000):
            raw.socket.sendall(data[start : start + 50_000])
        assert raw.close_code() == code
        assert call.memory - before < MAX_GROWTH


def test_a_malformed_websocket_frame_is_refused_with_a_code(call):
    unmasked = b"\x81\x02hi"
    not_utf8 = frame(TEXT, b"\xff\xfe")
    for data, code in ((unmasked, 1002), (not_utf8, 1007)):
        with call.raw() as raw:
            raw.socket.sendall(data)
            assert raw.close_code() == code


# --- handshakes ----------------------------------------------------------------------------------


def test_an_unknown_address_is_answered_with_the_rest_error(installation):
    url = installation.url.replace("http", "ws", 1)
    with RawSocket(f"{url}/v1/nowhere") as raw:
        head, body = raw.answer.decode(), json.loads(raw.rest())
    assert head.startswith("HTTP/1.1 404 Not Found\r\n")
    assert "content-type: application/json" in head.lower()
    assert (body["error"]["type"], body["error"]["code"]) == (
        "not_found_error",
        "resource_not_found",
    )
    assert f"x-request-id: {body['error']['request_id']}".lower() in head.lower()


def test_the_request_id_is_in_the_handshake_in_errors_and_in_the_log(call):
    with call.raw() as raw:
        raw.socket.sendall(frame(TEXT, b"nonsense"))
        request_id = raw.next("session.error")["error"]["request_id"]
    assert request_id.startswith("req_")
    assert f"x-request-id: {request_id}".lower() in raw.answer.decode().lower()
    assert any("websocket.open" in each and request_id in each for each in call.server.output)
