"""Calls whose agent and customer are on two gateway processes, with PostgreSQL and Redis."""

import contextlib
import json
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from sessions_app.media import Samples
from tests.e2e.proxy import Proxy
from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import MANAGE, ROOT, clean_environment, free_port, own_keys
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import mulaw
from tests.requirements import needs_postgres, needs_redis

pytestmark = [needs_postgres, needs_redis, pytest.mark.timeout(300)]

TIMEOUT = 60  # seconds


@dataclass
class Gateway:
    port: int
    process: subprocess.Popen[bytes]

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
            trust_env=False,
        )


@dataclass
class Installation:
    environment: dict[str, str]
    key: str = ""
    staff: tuple[str, str] = ("", "")
    gateways: list[Gateway] = field(default_factory=list)

    def start(self, server: str = "daphne") -> Gateway:
        port = free_port()
        command = [*MANAGE, "gateway", f"--port={port}", f"--server={server}"]
        process = subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL
        )
        gateway = Gateway(port, process)
        self.gateways.append(gateway)
        transport = httpx.HTTPTransport(retries=10)  # pauses 0, 0.5, 1, 2 … s while refused
        with httpx.Client(transport=transport, trust_env=False, timeout=TIMEOUT) as client:
            for _ in range(600):
                if client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    return gateway
                time.sleep(0.1)  # it is a process: nothing to await
        raise AssertionError("the gateway did not get ready")


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str
) -> Iterator[Installation]:
    """A large installation on a database of its own, without gateways."""
    engine = ScriptedEngine()
    settings = {"TRANSCRIBER_URL": engine.url, "KALLGLOT_DRAIN_TIMEOUT": "10"}
    with large_installation(
        tmp_path_factory.mktemp("data"), postgres_url, redis_url, settings
    ) as made:
        yield made
    engine.shutdown()


@contextlib.contextmanager
def large_installation(
    data_dir: Path, postgres_url: str, redis_url: str, settings: dict[str, str]
) -> Iterator[Installation]:
    """With a database and Redis keys of its own, and ``settings`` as environment variables."""
    name = f"kallglot_e2e_{uuid.uuid4().hex[:8]}"
    environment = clean_environment(
        data_dir, DATABASE_URL=f"{postgres_url.rpartition('/')[0]}/{name}", **settings
    )
    with (
        own_keys(redis_url) as redis,
        psycopg.connect(postgres_url, autocommit=True) as database,
    ):
        environment |= redis
        database.execute(f"CREATE DATABASE {name}")
        try:
            made = Installation(environment)
            for command in (["migrate"], ["bootstrap", "--organization", "Acme", "--json"]):
                done = subprocess.run(
                    [*MANAGE, *command],
                    env=environment,
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=TIMEOUT * 3,
                )
            printed = json.loads(done.stdout)
            made.key = printed["live_key"]
            made.staff = printed["staff_email"], printed["staff_password"]
            yield made
        finally:
            for gateway in made.gateways:
                gateway.process.kill()
                gateway.process.wait()
            database.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Party:
    """A connected speaker. All messages received are kept in ``heard``."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.sent = 0
        self.heard: list[dict[str, Any]] = []

    def say(self, seconds: float = 1.5) -> None:
        """Send one utterance: speech, then silence."""
        self._send(speech(seconds))
        self._send(silence(1.5))

    def _send(self, samples: Samples) -> None:
        for start in range(0, len(samples), 800):
            self.send(
                type="audio.input",
                sequence=self.sent,
                timestamp_ms=self.sent * 100,
                audio=mulaw(samples[start : start + 800]),
            )
            self.sent += 1

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def next(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv(timeout=TIMEOUT))
            self.heard.append(message)
            if message["type"] == kind:
                return message

    def closed(self) -> int | None:
        try:
            while True:
                self.heard.append(json.loads(self.socket.recv(timeout=TIMEOUT)))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@contextlib.contextmanager
def connected(
    installation: Installation, gateway: Gateway, session_id: str, speaker: str
) -> Iterator[Party]:
    """A client connected to ``gateway``, with a token issued by it."""
    with gateway.client(installation.key) as client:
        token = client.get(f"/v1/sessions/{session_id}").json()["stream"]["token"]
    address = f"ws://127.0.0.1:{gateway.port}/v1/sessions/{session_id}/connect"
    query = f"?token={token}&speaker={speaker}&clock=media"
    with connect(address + query, open_timeout=TIMEOUT, proxy=None) as socket:
        yield Party(socket)


def new_session(installation: Installation, gateway: Gateway) -> str:
    with gateway.client(installation.key) as client:
        answer = client.post("/v1/sessions", json={"mode": "transcription"})
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["id"]
    return session_id


def transcript(installation: Installation, gateway: Gateway, session_id: str) -> dict[str, Any]:
    with gateway.client(installation.key) as client:
        answer: dict[str, Any] = client.get(f"/v1/sessions/{session_id}/transcript").json()
    return answer


def test_two_speakers_on_two_gateways_are_in_one_call(installation):
    here, there = installation.start("daphne"), installation.start("uvicorn")
    session_id = new_session(installation, here)
    with (
        connected(installation, here, session_id, "agent") as agent,
        connected(installation, there, session_id, "customer") as customer,
    ):
        agent.next("session.ready")
        customer.next("session.ready")
        agent.say()
        assert agent.next("transcript.final") == customer.next("transcript.final")
        customer.say()
        final = agent.next("transcript.final")
        assert final == customer.next("transcript.final")
        assert final["speaker"] == "customer"
        assert "speech.started" in [
            m["type"] for m in agent.heard if m.get("speaker") == "customer"
        ]

        customer.send(type="session.control", action="pause_recording")
        agent.next("session.paused")
        customer.next("session.paused")
        agent.send(type="session.control", action="resume_recording")
        agent.next("session.resumed")
        customer.next("session.resumed")

        with there.client(installation.key) as client:
            ended = client.post(f"/v1/sessions/{session_id}/end")
        assert ended.json()["status"] == "ended"
        for party in (agent, customer):
            party.next("session.ended")
            assert party.closed() == 1000
    stored = transcript(installation, there, session_id)
    assert stored["status"] == "complete"
    assert sorted(segment["speaker"] for segment in stored["segments"]) == ["agent", "customer"]


def test_a_newer_connection_on_another_gateway_takes_over(installation):
    here, there = installation.gateways[:2]
    session_id = new_session(installation, here)
    with connected(installation, here, session_id, "customer") as older:
        older.next("session.ready")
        with connected(installation, there, session_id, "customer") as newer:
            newer.next("session.ready")
            assert older.closed() == 4410
            newer.say()
            newer.next("transcript.final")


def test_a_killed_gateway_loses_no_final_and_its_speaker_goes_on_at_another(installation):
    here, there = installation.start("daphne"), installation.start("daphne")
    session_id = new_session(installation, here)
    with (
        connected(installation, here, session_id, "agent") as agent,
        connected(installation, there, session_id, "customer") as customer,
    ):
        agent.next("session.ready")
        customer.say()
        before = customer.next("transcript.final")
        agent.next("transcript.final")
        there.process.kill()
        there.process.wait()
        assert [s["id"] for s in transcript(installation, here, session_id)["segments"]] == [
            before["id"]
        ]
        agent.say()
        agent.next("transcript.final")
        with connected(installation, here, session_id, "customer") as again:
            assert again.next("session.ready")["resumed"] is True
            again.sent = customer.sent
            again.say()
            after = again.next("transcript.final")
            assert after["start_time"] >= before["end_time"]
            assert agent.next("transcript.final") == after
    stored = transcript(installation, here, session_id)
    assert len(stored["segments"]) == 3
    assert stored["status"] == "in_progress"


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_stopping_gateway_transcribes_the_rest_and_closes_all_connections(installation, server):
    survivor, stopped = installation.gateways[0], installation.start(server)
    session_id = new_session(installation, stopped)
    with connected(installation, stopped, session_id, "customer") as customer:
        customer.next("session.ready")
        customer.say()
        customer.send(type="ping", timestamp_ms=1)
        customer.next("pong")
        began = time.monotonic()
        stopped.process.send_signal(signal.SIGTERM)
        assert customer.closed() == 1001
        assert stopped.process.wait(TIMEOUT) == 0
        assert time.monotonic() - began < TIMEOUT
    assert len(transcript(installation, survivor, session_id)["segments"]) == 1


@pytest.mark.parametrize("how", ["told to stop", "killed"])
def test_a_client_that_moves_to_another_gateway_gets_every_final_in_order(installation, how):
    second = installation.gateways[0] if installation.gateways else installation.start("daphne")
    first = installation.start("uvicorn")
    session_id = new_session(installation, first)
    with (
        connected(installation, second, session_id, "agent") as agent,
        connected(installation, first, session_id, "customer") as customer,
    ):
        agent.next("session.ready")
        customer.next("session.ready")
        agent.say()
        told = [customer.next("transcript.final")["sequence"]]
        customer.send(type="ping", timestamp_ms=1)  # whoever sends has received what came before
        customer.next("pong")
        agent.next("transcript.final")
        if how == "told to stop":
            first.process.send_signal(signal.SIGTERM)
        else:
            time.sleep(1.5)  # a heartbeat stores what the client was told
            first.process.kill()
        customer.closed()
        first.process.wait(TIMEOUT)
        for _ in range(2):
            agent.say()
            agent.next("transcript.final")
        with connected(installation, second, session_id, "customer") as again:
            assert again.next("session.ready")["sequence"] == told[-1]
            agent.say()
            told += [again.next("transcript.final")["sequence"] for _ in range(3)]
    assert told == [1, 2, 3, 4]


def test_a_channel_layer_that_does_not_answer_does_not_delay_a_call(installation):
    url = installation.environment["REDIS_URL"]
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 6379)
    away = Installation(
        {
            **installation.environment,
            "REDIS_URL": url.replace(parts.netloc, f"127.0.0.1:{proxy.port}"),
        },
        installation.key,
    )
    gateway = away.start()
    installation.gateways.append(gateway)  # to be stopped with the others
    working = installation.gateways[0]
    session_id = new_session(installation, working)
    # Throttling and web sessions need Redis too: the token comes from another gateway.
    with working.client(installation.key) as client:
        token = client.get(f"/v1/sessions/{session_id}").json()["stream"]["token"]
    address = f"ws://127.0.0.1:{gateway.port}/v1/sessions/{session_id}/connect"
    with (
        proxy.hung(),
        connect(f"{address}?token={token}&clock=media", open_timeout=TIMEOUT, proxy=None) as socket,
    ):
        customer = Party(socket)
        customer.say()
        customer.next("transcript.final")
        customer.send(type="session.end")
        assert customer.next("session.ended")["reason"] == "completed"
    proxy.close()


# --- listening in ---------------------------------------------------------------------------------


@contextlib.contextmanager
def listening_in(
    installation: Installation, gateway: Gateway, session_id: str
) -> Iterator[ClientConnection]:
    """The WebSocket of an admin's page on ``gateway``."""
    site = f"http://127.0.0.1:{gateway.port}"
    email, password = installation.staff
    with httpx.Client(base_url=site, trust_env=False, timeout=TIMEOUT) as browser:
        browser.get("/login")
        form = {"username": email, "password": password}
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post("/login", data=form | token).status_code == 302
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
    address = f"ws{site.removeprefix('http')}/dashboard/sessions/{session_id}/listen"
    with connect(address, origin=Origin(site), additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(timeout=TIMEOUT)) == {"type": "hello"}
        assert json.loads(socket.recv(timeout=TIMEOUT))["type"] == "state"
        yield socket


def hear(socket: ClientConnection, seconds: float) -> Samples:
    """So many seconds of the customer's audio, as the page receives it."""
    heard: list[Samples] = []
    while sum(map(len, heard)) < seconds * 16000:
        message = socket.recv(timeout=TIMEOUT)
        if isinstance(message, bytes):
            assert message[:2] == b"\1\0"
            heard.append(np.frombuffer(message[2:], dtype="<i2"))
    return np.concatenate(heard)


def audited(installation: Installation, session_id: str) -> list[str]:
    """The session's actions in the audit log, in order."""
    with psycopg.connect(installation.environment["DATABASE_URL"]) as database:
        found = database.execute(
            "SELECT action FROM accounts_auditentry WHERE target = %s ORDER BY id", [session_id]
        )
        return [action for (action,) in found]


def test_listening_in_works_from_another_gateway_and_across_a_take_over(installation):
    here, there, third = (installation.start() for _ in range(3))
    session_id = new_session(installation, here)
    with listening_in(installation, here, session_id) as page:
        for gateway in (there, third):
            with connected(installation, gateway, session_id, "customer") as customer:
                customer.next("session.ready")
                # Announced every second: a gateway that has just started knows of it by then.
                time.sleep(1.5)
                customer.say()
                assert np.abs(hear(page, 1.4)).max() > 3000
        with here.client(installation.key) as client:
            client.post(f"/v1/sessions/{session_id}/end")
        list(page)  # ends when the socket closes, and raises after an error
    assert audited(installation, session_id) == ["listen_in.started", "listen_in.stopped"]


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_stopping_gateway_records_the_end_of_listening_in(installation, server):
    stopped = installation.start(server)
    session_id = new_session(installation, stopped)
    with listening_in(installation, stopped, session_id):
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.process.wait(TIMEOUT) == 0
    assert audited(installation, session_id) == ["listen_in.started", "listen_in.stopped"]
