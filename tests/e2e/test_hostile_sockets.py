"""What must not hurt, over real sockets: slow, mute, flooding, outsized and lost clients."""

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

SILENCE = 6.0
"""Seconds without a sign of life after which this server closes a connection."""

FLAT = 48 * 1024 * 1024
"""Bytes that the gateway may grow by while somebody floods it with many times as much."""


@dataclass
class Line:
    """A running installation and one session in it."""

    server: Server
    session_id: str

    def url(self, speaker: str = "customer") -> str:
        """With a fresh token."""
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
        """Bytes that the gateway holds."""
        resident: int = self.gateway.memory_info().rss
        return resident

    def streams(self) -> int:
        """Connections that the gateway has."""
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
def line(installation: Server) -> Line:
    with installation.client() as client:
        answer = client.post("/v1/sessions", json={"mode": "transcription"})
        assert answer.status_code == 201, answer.text
        return Line(installation, answer.json()["id"])


class Reader(threading.Thread):
    """An honest client that reads everything, as long as it is not told to stop."""

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
    """Frames of an utterance of that length and the pause after it."""
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


# --- slow and mute -------------------------------------------------------------------------------


def test_a_listener_that_never_reads_is_dropped_and_nobody_else_notices(line):
    reader = Reader(line.url("none"))
    with line.raw("none", receive_buffer=4096) as deaf, line.raw() as speaker:
        before, sent = line.memory, 0
        gone = None
        deadline = time.monotonic() + 60
        while gone is None and time.monotonic() < deadline:
            for each in audio(1.0, sent):
                speaker.socket.sendall(frame(TEXT, each))
                sent += 1
            speaker.next("transcript.final")
            gone = deaf.hung_up_within(0)
        assert gone is not None
        assert line.memory - before < FLAT
        speaker.send(type="ping", timestamp_ms=1)
        speaker.next("pong")
        assert line.streams() == 2
    finals = reader.types.count("transcript.final")
    assert reader.close_code is None
    assert finals >= sent // 25 - 1
    reader.socket.close()


def test_mute_clients_are_noticed_and_closed_in_time(line):
    """Their system acknowledges what is sent, but nothing comes back: no pong, no close."""
    with line.raw() as speaker, line.raw("none") as listener, line.raw("none") as dribbler:
        dribbler.socket.sendall(frame(TEXT, b'{"type": "ping"}')[:9])
        for client in (speaker, listener, dribbler):
            # The close frame may be answered yet, for some seconds.
            assert client.hung_up_within(SILENCE + 8) is not None
        assert line.streams() == 0


def test_a_stopped_client_with_news_waiting_is_let_go_of(line):
    with line.raw("none", receive_buffer=4096) as stopped, line.raw() as speaker:
        for each in audio(1.0, 0):
            speaker.socket.sendall(frame(TEXT, each))
        speaker.next("transcript.final")
        assert stopped.hung_up_within(SILENCE + 8) is not None


def test_who_answers_pings_but_says_nothing_is_closed_as_a_speaker_only(line):
    speaker, listener = Reader(line.url()), Reader(line.url("none"))
    speaker.join(SILENCE + 10)
    assert speaker.close_code == 4408
    time.sleep(SILENCE)
    assert listener.close_code is None
    listener.socket.close()


def test_a_frame_may_come_byte_by_byte(line):
    with line.raw() as slow, line.raw("agent") as quick:
        for byte in frame(TEXT, b'{"type": "ping", "timestamp_ms": 5}'):
            slow.socket.sendall(bytes([byte]))
            quick.send(type="ping", timestamp_ms=1)
            quick.next("pong")
            time.sleep(0.02)
        assert slow.next("pong")["timestamp_ms"] == 5


# --- floods --------------------------------------------------------------------------------------


def flooded(raw: RawSocket, data: bytes, times: int) -> None:
    """Send it so often, or until the server will not have it any more. Reads nothing."""
    raw.socket.settimeout(5)
    with contextlib.suppress(OSError):
        for _ in range(times):
            raw.socket.sendall(data)
    raw.socket.settimeout(TIMEOUT)


def test_a_flood_of_pings_is_refused(line):
    with line.raw() as raw:
        flooded(raw, frame(TEXT, b'{"type": "ping"}'), 500)
        assert raw.close_code() == 4429


def test_a_flood_of_tiny_frames_is_refused(line):
    with line.raw() as raw:
        start = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1}
        raw.send(type="audio.start", audio=start)
        flooded(raw, frame(BINARY, b"\xff") * 100, 100)
        assert raw.close_code() == 4429


@pytest.mark.parametrize(
    "tiny",
    [
        pytest.param(frame(PING, bytes(125)), id="pings"),
        pytest.param(frame(0x0, b"", final=False), id="empty fragments"),
    ],
)
def test_a_flood_below_the_messages_is_refused_and_takes_no_memory(line, tiny):
    """Frames that no message comes of never reach the application, which counts messages."""
    before = line.memory
    with line.raw(receive_buffer=4096) as raw:
        raw.socket.sendall(frame(TEXT, b"", final=False))
        began = time.monotonic()
        flooded(raw, tiny * 1000, 1000)
        assert time.monotonic() - began < 20
        assert line.memory - before < FLAT
        assert raw.hung_up_within(15) is not None


# --- too large -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "code"), [(64 * 1024 + 1, 4413), (300_000, 1009), (5_000_000, 1009)]
)
def test_a_frame_too_large_is_refused_with_a_code(line, size, code):
    before = line.memory
    data = frame(BINARY, bytes(size))
    with line.raw() as raw:
        for start in range(0, size, 50_000):
            raw.socket.sendall(data[start : start + 50_000])
        assert raw.close_code() == code
        assert line.memory - before < FLAT


def test_what_is_not_a_websocket_frame_is_refused_with_a_code(line):
    unmasked = b"\x81\x02hi"
    not_utf8 = frame(TEXT, b"\xff\xfe")
    for data, code in ((unmasked, 1002), (not_utf8, 1007)):
        with line.raw() as raw:
            raw.socket.sendall(data)
            assert raw.close_code() == code


# --- handshakes ----------------------------------------------------------------------------------


def test_an_address_that_nothing_listens_at_is_answered_as_over_rest(installation):
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


def test_a_connection_has_a_request_id_in_its_answer_its_errors_and_the_log(line):
    with line.raw() as raw:
        raw.socket.sendall(frame(TEXT, b"nonsense"))
        request_id = raw.next("session.error")["error"]["request_id"]
    assert request_id.startswith("req_")
    assert f"x-request-id: {request_id}".lower() in raw.answer.decode().lower()
    assert any("websocket.open" in each and request_id in each for each in line.server.output)
