"""Two gateways behind nginx, with the configuration of docs/operations.md.

While one of the gateways stops, clients get answers from the other, and a call that it had goes on.
"""

import contextlib
import re
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import ROOT, free_port
from tests.e2e.test_two_gateways import (
    TIMEOUT,
    Gateway,
    Installation,
    Party,
    large_installation,
)
from tests.fakes.certificates import certificate_make
from tests.requirements import needs_postgres, needs_redis

pytestmark = [needs_postgres, needs_redis, pytest.mark.one_pass, pytest.mark.timeout(300)]

METRICS_TOKEN = "metrics-token"


@dataclass
class Site:
    """The installation as clients see it: through nginx, over TLS."""

    installation: Installation
    engine: ScriptedEngine
    port: int
    trusted: ssl.SSLContext

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"https://localhost:{self.port}",
            headers={"Authorization": f"Bearer {self.installation.key}"},
            verify=self.trusted,
            timeout=TIMEOUT,
            trust_env=False,
        )

    def new_session(self) -> str:
        with self.client() as client:
            answer = client.post("/v1/sessions", json={"mode": "transcription"})
        assert answer.status_code == 201, answer.text
        session_id: str = answer.json()["id"]
        return session_id

    @contextlib.contextmanager
    def connected(self, session_id: str, speaker: str) -> Iterator[Party]:
        with self.client() as client:
            stream = client.get(f"/v1/sessions/{session_id}").json()["stream"]
        assert stream["url"].startswith(f"wss://localhost:{self.port}/")
        url = f"{stream['url']}?token={stream['token']}&speaker={speaker}&clock=media"
        with connect(url, ssl=self.trusted, open_timeout=TIMEOUT, proxy=None) as socket:
            yield Party(socket)

    def transcript(self, session_id: str) -> list[str]:
        """The ids of its segments."""
        with self.client() as client:
            found = client.get(f"/v1/sessions/{session_id}/transcript").json()
        return [segment["id"] for segment in found["segments"]]


@dataclass
class Traffic(threading.Thread):
    """A client that makes sessions and connects to them, one after the other, until told to end."""

    site: Site
    finished: threading.Event = field(default_factory=threading.Event)
    calls: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.finished.is_set():
            try:
                session_id = self.site.new_session()
                with self.site.connected(session_id, "none") as listener:
                    listener.next("session.ready")
            except Exception as error:
                # A gateway may have begun to stop between the handshake and the first message.
                if getattr(getattr(error, "rcvd", None), "code", None) != 1001:
                    self.failures.append(repr(error))
            self.calls += 1


def documented_configuration() -> str:
    page = (ROOT / "docs" / "operations.md").read_text()
    (found,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    return str(found)


def configuration(folder: Path, port: int, gateways: list[Gateway]) -> str:
    """The documented one with this machine's ports, certificate and folders."""
    text = documented_configuration()
    certificate = certificate_make(folder)
    for documented, here in (
        ("10.0.0.11:8000", f"127.0.0.1:{gateways[0].port}"),
        ("10.0.0.12:8000", f"127.0.0.1:{gateways[1].port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name voice.example.com", "server_name localhost"),
        ("/etc/ssl/voice.example.com.pem", str(certificate)),
        ("/etc/ssl/voice.example.com.key", str(certificate)),
    ):
        assert documented in text
        text = text.replace(documented, here)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    return (
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{folders}{text}}}\n"
    )


@contextlib.contextmanager
def nginx(path: str, folder: Path, port: int, gateways: list[Gateway]) -> Iterator[None]:
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, port, gateways))
    process = subprocess.Popen([path, "-c", str(file), "-p", str(folder), "-e", "stderr"])
    try:
        trusted = ssl.create_default_context(cafile=folder / "server.pem")
        transport = httpx.HTTPTransport(retries=8, verify=trusted)
        with httpx.Client(transport=transport, timeout=TIMEOUT, trust_env=False) as client:
            answer = client.get(f"https://localhost:{port}/healthz")
        assert answer.status_code == 200, answer.text
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT)


@pytest.fixture(params=["daphne", "uvicorn"])
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    nginx_path: str,
    postgres_url: str,
    redis_url: str,
) -> Iterator[Site]:
    engine, port = ScriptedEngine(), free_port()
    settings = {
        "TRANSCRIBER_URL": engine.url,
        "KALLGLOT_ENVIRONMENT": "production",
        "KALLGLOT_SECRET_KEY": "a secret key for the test " * 3,
        "KALLGLOT_PUBLIC_URL": f"https://localhost:{port}",
        "KALLGLOT_TRUSTED_PROXIES": "127.0.0.1",
        "KALLGLOT_METRICS_TOKEN": METRICS_TOKEN,
    }
    with large_installation(tmp_path / "data", postgres_url, redis_url, settings) as made:
        gateways = [made.start(request.param) for _ in range(2)]
        with nginx(nginx_path, tmp_path, port, gateways):
            yield Site(
                made, engine, port, ssl.create_default_context(cafile=tmp_path / "server.pem")
            )
    engine.shutdown()


def streams(gateway: Gateway) -> int:
    """Open connections of that gateway."""
    answer = httpx.get(
        f"http://127.0.0.1:{gateway.port}/metrics",
        headers={"Authorization": f"Bearer {METRICS_TOKEN}"},
        timeout=TIMEOUT,
        trust_env=False,
    )
    found = re.search(r"^kallglot_live_streams (\S+)", answer.text, re.MULTILINE)
    assert found, answer.text
    return int(float(found[1]))


def is_draining(gateway: Gateway) -> bool:
    answer = httpx.get(f"http://127.0.0.1:{gateway.port}/readyz", timeout=TIMEOUT, trust_env=False)
    return answer.status_code == 503 and "drain" in answer.text


def wait_until_draining(gateway: Gateway) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not is_draining(gateway):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stopping_gateway_costs_no_call_and_no_request(site: Site) -> None:
    session_id = site.new_session()
    with site.connected(session_id, "customer") as customer:
        customer.next("session.ready")
        customer.say()
        finals = [customer.next("transcript.final")]
        (stopping,) = (each for each in site.installation.gateways if streams(each))
        site.engine.answers.clear()  # the gateway now drains until this sentence is transcribed
        customer.say()
        customer.send(type="ping", timestamp_ms=1)
        customer.next("pong")
        stopping.process.send_signal(signal.SIGTERM)
        assert customer.closed() == 1001

    wait_until_draining(stopping)
    for _ in range(4):  # nginx begins with each of the gateways in turn
        with site.connected(site.new_session(), "none") as listener:
            listener.next("session.ready")
    with site.connected(session_id, "customer") as again:
        assert again.next("session.ready")["resumed"] is True
        assert is_draining(stopping), "the gateway drained all the time"
        again.sent = customer.sent
        again.say()
        site.engine.answers.set()
        finals += [again.next("transcript.final") for _ in range(2)]
    assert stopping.process.wait(TIMEOUT) == 0
    assert [final["sequence"] for final in finals] == [1, 2, 3]
    assert site.transcript(session_id) == [final["id"] for final in finals]


def test_clients_that_connect_all_the_time_do_not_notice_a_stopping_gateway(site: Site) -> None:
    traffic = [Traffic(site) for _ in range(2)]
    for each in traffic:
        each.start()
    stopping = site.installation.gateways[0]
    stopping.process.send_signal(signal.SIGTERM)
    assert stopping.process.wait(TIMEOUT) == 0
    calls = [each.calls for each in traffic]
    deadline = time.monotonic() + TIMEOUT
    while any(each.calls < before + 5 for each, before in zip(traffic, calls, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for each in traffic:
        each.finished.set()
        each.join(TIMEOUT)
    assert [each.failures for each in traffic] == [[], []]
