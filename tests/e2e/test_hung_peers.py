"""A service that accepts connections and does not answer holds up only what needs it.

One gateway process. Broker, database and speech engine are reached through proxies that can hang;
a hung storage is a named pipe in place of a file, a hung name service a lookup that waits for the
answer of a silent server.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.e2e.proxy import Proxy
from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import MANAGE, ROOT, clean_environment, own_keys
from tests.e2e.test_two_gateways import (
    TIMEOUT,
    Gateway,
    Installation,
    Party,
    connected,
    new_session,
    transcript,
)
from tests.kallglot_site.metrics.samples import samples
from tests.requirements import needs_postgres, needs_redis

pytestmark = [needs_postgres, needs_redis, pytest.mark.timeout(300)]

HUNG_LOOKUP = """
    import os, socket

    real = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        if str(host).endswith(".hung.example"):
            port = int(os.environ["SILENT_NAME_SERVER"])
            with socket.create_connection(("127.0.0.1", port)) as server:
                server.recv(1)  # returns when the server closes the connection
            raise socket.gaierror("the name service did not answer")
        return real(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
"""
"""Python imports this as ``sitecustomize`` when the gateway starts."""


SENT = 3 * 64 * 1024
"""Bytes of audio that are sent of a file that stalls: whole blocks of its encryption."""
READABLE = SENT + 4000
"""Bytes of that file that can be read: those blocks with their overhead, and a part of the next."""


@dataclass
class Peers:
    """The gateway, and what it depends on."""

    installation: Installation
    gateway: Gateway
    organization: str
    data: Path
    database: Proxy
    broker: Proxy
    engine: Proxy
    name_server: socket.socket

    def client(self) -> httpx.Client:
        return self.gateway.client(self.installation.key)

    def answers(self) -> bool:
        """Whether /healthz and REST answer."""
        with self.client() as client:
            health = client.get("/healthz").status_code
            return (health, client.get("/v1/sessions").status_code) == (200, 200)

    def recorded(self, session_id: str) -> int:
        """Bytes in the session's spool."""
        parts = (self.data / "spool" / session_id).glob("*.part")
        return sum(part.stat().st_size for part in parts)


def through(url: str) -> tuple[Proxy, str]:
    """A proxy to the URL's service, and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = Proxy(parts.hostname, parts.port)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return proxy, parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}").geturl()


@contextlib.contextmanager
def own_database(url: str) -> Iterator[str]:
    name = f"kallglot_e2e_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT * 3,
    ).stdout


@pytest.fixture(scope="module")
def peers(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str
) -> Iterator[Peers]:
    data = tmp_path_factory.mktemp("data")
    patches = tmp_path_factory.mktemp("patches")
    (patches / "sitecustomize.py").write_text(textwrap.dedent(HUNG_LOOKUP))
    scripted = ScriptedEngine()
    with (
        own_keys(redis_url) as keys,
        own_database(postgres_url) as database_url,
        socket.create_server(("127.0.0.1", 0), backlog=128) as name_server,
    ):
        database, database_url = through(database_url)
        broker, keys["REDIS_URL"] = through(keys["REDIS_URL"])
        engine = Proxy("127.0.0.1", scripted.server_port)
        environment = clean_environment(
            data,
            DATABASE_URL=database_url,
            TRANSCRIBER_URL=f"openai+http://127.0.0.1:{engine.port}/v1",
            # Encrypted files are read without seeking, as a named pipe must be.
            KALLGLOT_MEDIA_KEY="a key of this test",
            KALLGLOT_DRAIN_TIMEOUT="5",
            PYTHONPATH=str(patches),
            SILENT_NAME_SERVER=str(name_server.getsockname()[1]),
            **keys,
        )
        installation = Installation(environment)
        manage(environment, *MANAGE, "migrate")
        made = json.loads(
            manage(environment, *MANAGE, "bootstrap", "--organization", "Acme", "--json")
        )
        installation.key = made["live_key"]
        try:
            gateway = installation.start("uvicorn")
            yield Peers(
                installation,
                gateway,
                made["organization_id"],
                data,
                database,
                broker,
                engine,
                name_server,
            )
        finally:
            for each in installation.gateways:
                each.process.kill()
                each.process.wait()
            scripted.shutdown()
            for proxy in (database, broker, engine):
                proxy.close()


@contextlib.contextmanager
def call(peers: Peers, *, recorded: bool = False) -> Iterator[tuple[str, Party]]:
    """A call in which something was said already: its session's id, and the customer."""
    body: dict[str, Any] = {"mode": "transcription", "recording": {"enabled": recorded}}
    with peers.client() as client:
        answer = client.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    session_id = answer.json()["id"]
    with connected(peers.installation, peers.gateway, session_id, "customer") as customer:
        customer.say()
        customer.next("transcript.final")
        customer.heard.clear()
        yield session_id, customer


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def received(customer: Party) -> None:
    """Everything sent so far was taken: the gateway answers what came after it."""
    customer.send(type="ping", timestamp_ms=1)
    customer.next("pong")


def say_while_hung(peers: Peers, session_id: str, customer: Party) -> None:
    """Speak. The gateway takes all of it, and writes it into the spool."""
    before = peers.recorded(session_id)
    customer.say()
    received(customer)
    # 3 s of mu-law at 8 kHz.
    eventually(lambda: peers.recorded(session_id) >= before + 20_000, "the audio is recorded")


@pytest.mark.parametrize("recorded", [False, True])
def test_a_hung_broker_does_not_hold_up_the_end_of_a_session(peers, recorded):
    with call(peers, recorded=recorded) as (session_id, customer), peers.broker.hung():
        with peers.client() as client:
            ended = client.post(f"/v1/sessions/{session_id}/end")
        assert (ended.status_code, ended.json()["status"]) == (200, "ended")
        customer.next("session.ended")
        assert peers.answers()
        assert peers.broker.is_hung


def test_audio_is_recorded_while_the_database_hangs_and_finals_follow(peers):
    with call(peers, recorded=True) as (session_id, customer):
        with peers.database.hung():
            say_while_hung(peers, session_id, customer)
            with peers.client() as client:
                assert client.get("/healthz").status_code == 200
                # A check's answer is kept for a moment.
                eventually(lambda: client.get("/readyz").status_code == 503, "is not ready")
            assert "transcript.final" not in [message["type"] for message in customer.heard]
        final = customer.next("transcript.final")
    stored = transcript(peers.installation, peers.gateway, session_id)["segments"]
    assert [segment["text"] for segment in stored][1:] == [final["text"]]


def test_metrics_come_without_rows_while_the_database_hangs(peers):
    def collectors() -> set[float]:
        with peers.client() as client:
            answer = client.get("/metrics")
        assert answer.status_code == 200
        found = samples(answer.text)
        assert found["kallglot_live_streams", frozenset()] == 0
        calls = found["kallglot_executor_calls", frozenset({("executor", "metrics")})]
        up = [found[key] for key in found if key[0] == "kallglot_metrics_collector_up"]
        assert calls <= len(up)
        return set(up)

    eventually(lambda: collectors() == {1.0}, "all rows are read")
    with peers.database.hung():
        eventually(lambda: collectors() == {0.0}, "all collectors are down")  # answers are kept
        assert [collectors() for _ in range(5)] == [{0.0}] * 5
        with peers.client() as client:
            assert client.get("/healthz").status_code == 200
    eventually(lambda: collectors() == {1.0}, "all rows are read again")


def test_a_hung_engine_holds_up_no_request_and_no_recording(peers):
    with call(peers, recorded=True) as (session_id, customer):
        with peers.engine.hung():
            say_while_hung(peers, session_id, customer)
            assert peers.answers()
            other = new_session(peers.installation, peers.gateway)
            with peers.client() as client:
                ended = client.post(f"/v1/sessions/{other}/end")
            assert ended.json()["status"] == "ended"
            assert "transcript.final" not in [message["type"] for message in customer.heard]
        customer.next("transcript.final")
    assert len(transcript(peers.installation, peers.gateway, session_id)["segments"]) == 2


class StalledFile:
    """A file of the storage that is read up to some byte; there reading waits until ``release``."""

    def __init__(self, path: Path, readable: int) -> None:
        self._path = path
        self._content = path.read_bytes()[:readable]
        self.release = threading.Event()
        path.unlink()
        os.mkfifo(path)
        threading.Thread(target=self._write, daemon=True).start()

    def _write(self) -> None:
        # Opening waits for a reader.
        with contextlib.suppress(BrokenPipeError), self._path.open("wb", buffering=0) as pipe:
            pipe.write(self._content)
            self.release.wait()


@contextlib.contextmanager
def stalled_recordings(peers: Peers, count: int, *, readable: int) -> Iterator[list[str]]:
    """Addresses of ready recordings whose files stall after ``readable`` bytes."""
    script = str(ROOT / "tests/e2e/recording_maker.py")
    environment = peers.installation.environment
    made = manage(environment, sys.executable, script, peers.organization, str(count)).split()
    files = [StalledFile(peers.data / "media" / name, readable) for name in made[1::2]]
    try:
        yield [f"/v1/recordings/{recording_id}/audio" for recording_id in made[::2]]
    finally:
        for file in files:
            file.release.set()


def test_downloads_that_stall_half_way_hold_up_no_call_and_no_request(peers):
    downloads: list[Iterator[bytes]] = []  # one that is dropped would hang up
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(peers.client())
        for address in stack.enter_context(stalled_recordings(peers, 6, readable=READABLE)):
            answer = stack.enter_context(client.stream("GET", address))
            assert answer.status_code == 200
            downloads.append(answer.iter_raw(SENT))
            assert len(next(downloads[-1])) == SENT  # from here on reading waits
        with call(peers, recorded=True) as (session_id, _):  # speaks, and gets the final
            assert peers.recorded(session_id) >= 20_000
        assert peers.answers()


def test_downloads_that_never_begin_hold_up_no_call_and_no_request(peers):
    def download(address: str) -> int:
        with peers.client() as client:
            return int(client.get(address).status_code)

    with (
        stalled_recordings(peers, 16, readable=0) as addresses,
        ThreadPoolExecutor(16) as pool,
        call(peers) as (_, customer),
    ):
        answers = [pool.submit(download, address) for address in addresses]
        customer.say()
        customer.next("transcript.final")
        assert peers.answers()
        assert {answer.result(TIMEOUT) for answer in answers} == {503}


def test_names_that_do_not_resolve_hold_up_no_other_request(peers):
    def create(number: int) -> int:
        body = {"url": f"https://{number}.hung.example/hook", "events": ["*"]}
        with peers.client() as client:
            return int(client.post("/v1/webhook_endpoints", json=body).status_code)

    peers.name_server.settimeout(TIMEOUT)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(create, number) for number in range(16)]
        asked = peers.name_server.accept()[0]  # a lookup has begun
        assert peers.answers()
        # Those that were looked up are taken after the deadline: connecting checks again.
        assert {answer.result(TIMEOUT) for answer in answers} == {201, 503}
        asked.close()
