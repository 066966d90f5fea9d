"""A recorded call over real sockets, with a lost connection and a killed server during it."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from sessions_app.media import Samples, encode
from tests.e2e.server import Server, running
from tests.recordings_app.audio import agreement, decoded, voice

RATE, FRAME = 8000, 0.1
LONGEST_LAG = 0.1
"""Seconds between the time audio was spoken at and its place in the file."""


@dataclass
class Party:
    """Speaks in real time, connected or not, and reconnects when told to."""

    server: Server
    session_id: str
    speaker: str
    source: Samples
    started: float = 0.0
    connection: ClientConnection | None = None
    sequence: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    received: list[str] = field(default_factory=list)
    """Types of the messages received, in order."""

    def connect(self) -> None:
        with self.server.client() as client:
            stream = client.get(f"/v1/sessions/{self.session_id}").json()["stream"]
        url = f"{stream['url']}?token={stream['token']}&speaker={self.speaker}"
        opened = connect(url, proxy=None, open_timeout=20, ping_interval=None)
        connection = opened.__enter__()  # closed by hang_up, or with the server
        assert json.loads(connection.recv(timeout=20))["type"] == "session.ready"
        threading.Thread(target=self._drain, args=[connection], daemon=True).start()
        self.sequence = 0
        self.connection = connection

    def speak(self) -> None:
        """Send frames when they are due. Frames due while disconnected are never sent."""
        step = round(FRAME * RATE)
        for number in range(len(self.source) // step):
            # A frame can be sent once its last sample has been spoken.
            time.sleep(max(0.0, self.started + (number + 1) * FRAME - time.monotonic()))
            connection = self.connection  # another thread may disconnect at any time
            if connection is None:
                continue
            self.sequence += 1
            message = {
                "type": "audio.input",
                "sequence": self.sequence,
                "timestamp_ms": round(number * FRAME * 1000),
                "audio": {
                    "encoding": "mulaw",
                    "sample_rate_hz": RATE,
                    "channels": 1,
                    "payload": base64.b64encode(
                        encode(self.source[number * step : (number + 1) * step], "mulaw")
                    ).decode(),
                },
            }
            try:
                connection.send(json.dumps(message))
            except WebSocketException:
                if self.connection is connection:
                    self.connection = None
        self.done.set()

    def hang_up(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def control(self, action: str, answer: str) -> float:
        """Send a session.control. Returns when its answer came, in seconds of the call."""
        assert self.connection is not None
        self.connection.send(json.dumps({"type": "session.control", "action": action}))
        until(answer, lambda: answer in self.received, timeout=20)
        return time.monotonic() - self.started

    def _drain(self, connection: ClientConnection) -> None:
        try:
            for message in connection:
                self.received.append(json.loads(message)["type"])
        except WebSocketException:
            return


def until(what: str, check: Any, timeout: float = 60) -> Any:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except (httpx.HTTPError, OSError, WebSocketException):
            pass
        time.sleep(0.2)
    raise AssertionError(f"not within {timeout} s: {what}")


def gateway_process(server: Server) -> psutil.Process:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return next(each for each in children if "gateway" in each.cmdline())


def begin(server: Server, seconds: float) -> tuple[str, Party, Party]:
    with server.client() as client:
        created = client.post(
            "/v1/sessions",
            json={
                "mode": "transcription",
                "source_language": "en",
                "target_language": "en",
                "recording": {"enabled": True, "channels": "dual"},
                "transcription": {"partials": False},
            },
        ).json()
    session_id = created["id"]
    agent, customer = (
        Party(server, session_id, speaker, voice(seconds, seed=seed))
        for speaker, seed in (("agent", 21), ("customer", 22))
    )
    for party in (agent, customer):
        party.connect()
    start = time.monotonic()
    for party in (agent, customer):
        party.started = start
        threading.Thread(target=party.speak, daemon=True).start()
    return session_id, agent, customer


def finish(server: Server, session_id: str) -> dict[str, tuple[Samples, ...]]:
    """End the session; each recording's channels, by the recording's channel."""
    with server.client() as client:
        assert client.post(f"/v1/sessions/{session_id}/end", json={}).status_code == 200

        def ready() -> list[dict[str, Any]] | None:
            listed = client.get(f"/v1/sessions/{session_id}/recordings").json()["data"]
            assert not [each for each in listed if each["status"] == "failed"]
            return listed if {each["status"] for each in listed} == {"ready"} else None

        recordings = until("recordings are ready", ready, timeout=120)
        heard = {}
        for each in recordings:
            answer = client.get(each["download_url"])
            assert answer.status_code == 302
            data = httpx.get(answer.headers["Location"], timeout=30, trust_env=False).content
            assert len(data) == each["size"]
            channels, rate = decoded(data)
            assert rate == RATE
            heard[each["channel"]] = tuple(channels)
    return heard


def assert_aligned(heard: Samples, source: Samples, start: float, end: float) -> None:
    """The recording agrees with ``source`` between ``start`` and ``end`` seconds of the call."""
    first, last, margin = round(start * RATE), round(end * RATE), round(0.3 * RATE)
    found = agreement(
        np.asarray(heard[max(0, first - margin) : last + margin]), source[first:last], RATE
    )
    lag = found.lag - min(first, margin) / RATE
    assert abs(lag) < LONGEST_LAG, (start, end, found)
    assert found.correlation > 0.95, (start, end, found)


def tracks(heard: dict[str, tuple[Samples, ...]]) -> list[tuple[Samples, str]]:
    """Every channel that has one speaker alone, and the speaker."""
    return [
        (heard["agent"][0], "agent"),
        (heard["customer"][0], "customer"),
        (heard["mixed"][0], "agent"),
        (heard["mixed"][1], "customer"),
    ]


def test_each_channel_stays_aligned_after_a_reconnect(server):
    session_id, agent, customer = begin(server, seconds=14)
    time.sleep(max(0, agent.started + 5 - time.monotonic()))
    customer.hang_up()
    time.sleep(1)
    customer.connect()
    back = time.monotonic() - customer.started
    for party in (agent, customer):
        assert party.done.wait(60)
    time.sleep(0.5)
    heard = finish(server, session_id)
    source = {"agent": agent.source, "customer": customer.source}
    for samples, speaker in tracks(heard):
        assert_aligned(samples, source[speaker], 0.5, 4.5)
        assert_aligned(samples, source[speaker], back + 1, 13.5)


def test_a_pause_is_silence_on_every_track(server):
    session_id, agent, customer = begin(server, seconds=14)
    time.sleep(max(0, agent.started + 4 - time.monotonic()))
    paused = agent.control("pause_recording", "session.paused")
    time.sleep(4)
    resuming = time.monotonic() - agent.started
    resumed = agent.control("resume_recording", "session.resumed")
    for party in (agent, customer):
        assert party.done.wait(60)
    time.sleep(0.5)
    heard = finish(server, session_id)
    source = {"agent": agent.source, "customer": customer.source}
    for samples, speaker in tracks(heard):
        # The codec adds some milliseconds of sound around an edge.
        quiet = samples[round((paused + 0.3) * RATE) : round((resuming - 0.3) * RATE)]
        assert np.abs(quiet).max() < 200
        assert_aligned(samples, source[speaker], 0.5, 3.5)
        assert_aligned(samples, source[speaker], resumed + 0.5, 13.5)


@pytest.mark.timeout(400)
def test_no_audio_received_is_lost_when_the_gateway_is_killed(tmp_path):
    with running(tmp_path) as server:
        session_id, agent, customer = begin(server, seconds=60)
        time.sleep(max(0, agent.started + 6 - time.monotonic()))
        killed = time.monotonic() - agent.started
        gateway = gateway_process(server)
        gateway.kill()
        for party in (agent, customer):
            party.connection = None

        def reconnected() -> bool:
            for party in (agent, customer):
                if party.connection is None:
                    party.connect()
            return True

        until("the gateway is back", reconnected, timeout=45)
        back = time.monotonic() - agent.started
        assert gateway_process(server).pid != gateway.pid
        assert back < 50, "too little of the call is left to compare"
        for party in (agent, customer):
            assert party.done.wait(90)
        time.sleep(0.5)
        heard = finish(server, session_id)
        source = {"agent": agent.source, "customer": customer.source}
        for samples, speaker in tracks(heard):
            # The last frame that had certainly arrived was spoken two frames earlier.
            assert_aligned(samples, source[speaker], 0.5, killed - 2 * FRAME)
            assert_aligned(samples, source[speaker], back + 1, 59.5)
        assert not list((tmp_path / "spool").rglob("*.part"))
