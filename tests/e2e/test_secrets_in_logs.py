"""`manage.py up` prints nothing secret that clients send, at the level DEBUG, to either output."""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.raw_socket import BINARY, PING, TEXT, RawSocket, frame
from tests.e2e.scripted_engine import ScriptedEngine
from tests.e2e.server import Server, running, same_size
from tests.e2e.test_hostile_sockets import audio
from tests.fakes.logs import SECRET, leaks

PHONE = "+15550109876"

RAW_REQUESTS = [
    f"{SECRET}\r\n\r\n",
    f"GET /{SECRET} HTTP/9.9\r\n\r\n",
    f"{SECRET} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"GET /v1/sessions?token={SECRET} HTTP/1.1\r\nHost: other.example\r\n\r\n",
    f"GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {SECRET}\r\n{SECRET}\r\n\r\n",
    f"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SECRET}\r\n\r\n",
    f"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    f"{SECRET}\r\n",
    f"GET /v1/sessions/x/connect?token={SECRET} HTTP/1.1\r\nHost: localhost\r\n"
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {SECRET}\r\n\r\n",
    f"GET /v1/sessions/x/connect?token={SECRET} HTTP/1.1\r\nHost: localhost\r\n"
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n"
    f"Sec-WebSocket-Protocol: {SECRET}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    engine = ScriptedEngine(trailer=f" My number is {SECRET}.")
    settings = {
        "TRANSCRIBER_URL": engine.url,
        "KALLGLOT_LOG_LEVEL": "DEBUG",
        "KALLGLOT_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    folder = tmp_path_factory.mktemp(request.param)
    with (
        same_size() as databases,
        running(folder, server=request.param, settings={**databases, **settings}) as server,
    ):
        yield server
    engine.shutdown()


def use_rest(server: Server) -> str:
    """Returns the id of a session whose metadata and phone number are secret."""
    with server.client() as client:
        endpoint = {"url": f"http://127.0.0.1:9/{SECRET}?key={SECRET}", "events": ["*"]}
        assert client.post("/v1/webhook_endpoints", json=endpoint).status_code == 201
        body = {
            "mode": "transcription",
            "recording": {"enabled": True},
            "provider": {"phone_number": PHONE},
            "metadata": {"card": SECRET},
        }
        made = client.post("/v1/sessions", json=body, headers={"Idempotency-Key": SECRET})
        assert made.status_code == 201, made.text
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            client.request(method, f"/v1/sessions/{SECRET}", json={SECRET: SECRET})
            client.request(method, f"/v1/sessions?token={SECRET}", content=f"{{{SECRET}")
        session_id: str = made.json()["id"]
        return session_id


def sign_in(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as browser:
        browser.headers["Referer"] = f"{server.url}/{SECRET}"
        for path in ("/login", "/admin/login/"):
            browser.get(path)
            token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            browser.post(path, data={"username": f"{SECRET}@x.example", "password": SECRET} | token)
            browser.post(path, data={"username": SECRET, "password": SECRET})
        browser.get(f"/invitation/{SECRET}")
        browser.get(f"/password/{SECRET}/{SECRET}")
        browser.post("/password", data={"email": f"{SECRET}@x.example"} | token)


def send_raw(server: Server) -> None:
    parts = urlsplit(server.url)
    for request in RAW_REQUESTS:
        with (
            socket.create_connection((parts.hostname, parts.port), timeout=2) as raw,
            contextlib.suppress(OSError),
        ):
            raw.sendall(request.encode())
            raw.recv(65536)


def call(server: Server, session_id: str) -> str:
    """Say something, and send what no client should. Returns the token."""
    with server.client() as client:
        stream = client.get(f"/v1/sessions/{session_id}").json()["stream"]
    token: str = stream["token"]
    with RawSocket(f"{stream['url']}?token={token}&clock=media&x={SECRET}") as raw:
        raw.next("session.ready")
        raw.send(type=SECRET, token=SECRET)
        raw.send(type="session.control", action=SECRET)
        raw.socket.sendall(frame(TEXT, SECRET.encode()))
        raw.socket.sendall(frame(BINARY, SECRET.encode()))
        raw.socket.sendall(frame(PING, SECRET.encode()))
        for each in audio(1.5, 0):
            raw.socket.sendall(frame(TEXT, each))
        assert SECRET in raw.next("transcript.final")["text"]
        raw.socket.sendall(frame(0x8, struct.pack("!H", 1000) + SECRET.encode()))
        raw.close_code()
    for text in (SECRET.encode(), b"\xff" + SECRET.encode()):
        with RawSocket(f"{stream['url']}?token={SECRET}&speaker={SECRET}") as raw:
            raw.socket.sendall(frame(TEXT, text))
            raw.close_code()
    with RawSocket(stream["url"]) as twilio:
        start = {"customParameters": {"token": SECRET}, "streamSid": SECRET, "callSid": SECRET}
        twilio.send(event="connected", protocol="Call", version="1.0.0")
        twilio.send(event="start", streamSid=SECRET, start=start)
        twilio.close_code()
    return token


def wait_for_deliveries(server: Server, session_id: str) -> None:
    """Until the worker has made the recording and has tried to deliver an event."""
    deadline = time.monotonic() + 90
    with server.client() as client:
        client.post(f"/v1/sessions/{session_id}/end")
        endpoint = client.get("/v1/webhook_endpoints").json()["data"][0]["id"]
        while True:
            found = client.get(f"/v1/webhook_endpoints/{endpoint}/deliveries").json()["data"]
            recordings = client.get(f"/v1/sessions/{session_id}/recordings").json()
            if "ready" in json.dumps(recordings) and any(each["attempts"] for each in found):
                return
            assert time.monotonic() < deadline, (found, recordings)
            time.sleep(0.5)


def test_no_process_prints_a_secret(installation: Server) -> None:
    session_id = use_rest(installation)
    sign_in(installation)
    token = call(installation, session_id)
    send_raw(installation)
    wait_for_deliveries(installation, session_id)
    credentials = installation.credentials
    secrets = [token, PHONE, credentials.live_key, credentials.test_key, credentials.staff_password]
    text = "".join(installation.output)
    for process in ("gateway |", "worker  |"):
        assert process in text
    assert "[debug" in text
    assert leaks(text, *secrets) == []
