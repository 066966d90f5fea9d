"""No log line holds a token, a message or a spoken word of a WebSocket, whatever it sends."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter

from kallglot_site.access_log import AccessLog
from sessions_app import routing
from sessions_app.dashboard.routing import websocket_urlpatterns as pages
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.fakes.audio import silence, speech
from tests.fakes.logs import SECRET, captured_log, leaks
from tests.fakes.pages import PageSocket
from tests.fakes.sockets import StreamClient
from tests.fakes.twilio import CONNECTED, TwilioClient

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES: dict[str, dict[str, Any]] = {
    "start": {"type": "audio.start", "audio": {"encoding": SECRET, "sample_rate_hz": SECRET}},
    "audio": {"type": "audio.input", "sequence": SECRET, "audio": {"payload": SECRET}},
    "control": {"type": "session.control", "action": SECRET, "reason": SECRET},
    "pause": {"type": "session.control", "action": "pause_recording", SECRET: SECRET},
    "mute": {"type": "session.control", "action": "mute", "speaker": SECRET},
    "text": {"type": "text.input", "text": SECRET, "language": SECRET},
    "ping": {"type": "ping", "timestamp_ms": SECRET},
    "unknown": {"type": SECRET, "token": SECRET},
}
TEXTS = {
    "not json": SECRET,
    "unfinished": f'{{"type": "{SECRET}", "text": "{SECRET}',
    "array": json.dumps([SECRET]),
    "string": json.dumps(SECRET),
    "deep": f'{"[" * 500}"{SECRET}"',
    "too long": f'{{"type": "ping", "x": "{SECRET}{"x" * 70_000}"}}',
}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with captured_log() as buffer:
        yield buffer


@pytest.fixture
def engine(engine: Any) -> Any:
    engine.answer = lambda request: f"My number is {SECRET}."
    return engine


async def test_no_log_holds_what_a_connected_client_sends_or_says(logged, gateway, session):
    async with StreamClient(session, speaker="customer", clock="media") as client:
        await client.next("session.ready")
        token = client._query["token"]
        client.send_audio(speech(1.5))
        client.send_audio(silence(1.5))
        assert SECRET in (await client.next("transcript.final"))["text"]
        for message in MESSAGES.values():
            client.send(**message)
        client.send_bytes(SECRET.encode() * 3)
        await client.ping()
        client.send(type="session.end", reason=SECRET)  # refused: no such reason
        client.send(type="session.end")
        await client.closed()
    logging.getLogger("sessions_app").debug("the end")
    assert "the end" in logged.getvalue()
    assert leaks(logged.getvalue(), token) == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_no_log_holds_a_malformed_message(logged, gateway, session, text):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send_text(text)
        client.send_bytes(text.encode())
        client.send(type="ping", timestamp_ms=1)
        await client.handled()
    assert leaks(logged.getvalue()) == []


@pytest.mark.parametrize("where", ["query", "header", "message", "Twilio's start"])
async def test_no_log_holds_a_refused_token(logged, gateway, session, where):
    client = StreamClient(session, token="")
    if where == "query":
        client = StreamClient(session, token=SECRET, speaker=SECRET, clock=SECRET, since=SECRET)
    if where == "header":
        client.headers = [
            (b"authorization", f"Bearer {SECRET}".encode()),
            (b"cookie", f"sessionid={SECRET}".encode()),
            (b"x-api-key", SECRET.encode()),
            (b"origin", f"https://{SECRET}.example".encode()),
            (b"user-agent", SECRET.encode()),
        ]
    async with client:
        if where == "message":
            client.send(type="authenticate", token=SECRET)
        if where == "Twilio's start":
            client.send(**CONNECTED)
            client.send(
                event="start", start={"customParameters": {"token": SECRET}, SECRET: SECRET}
            )
        assert await client.closed() >= 4400
    assert leaks(logged.getvalue()) == []


async def test_no_log_holds_the_token_or_parameters_of_a_twilio_stream(logged, gateway, session):
    async with TwilioClient(session) as client:
        token, _ = await sync_to_async(stream_token_issue)(session, None)
        client.send(**CONNECTED)
        client.send(**client.messages.start({"token": token, "card": SECRET}))
        client.send(event="media", media={"payload": SECRET, "track": SECRET})
        client.send(event="dtmf", dtmf={"digit": SECRET})
        client.send(event="mark", mark={"name": SECRET})
        client.send(event=SECRET)
        await client.stop()
    assert leaks(logged.getvalue(), token) == []


@pytest.mark.parametrize("page", ["live", "listen"])
@pytest.mark.parametrize("origin", ["http://localhost", f"https://{SECRET}.example"])
async def test_no_log_holds_a_secret_of_a_page_s_socket(logged, cast, page, origin):
    socket = PageSocket(
        AccessLog(URLRouter([*routing.websocket_urlpatterns, *pages])),
        f"/dashboard/sessions/{SECRET}/{page}?token={SECRET}",
        headers=[
            (b"cookie", f"sessionid={SECRET}".encode()),
            (b"origin", origin.encode()),
            (b"host", b"localhost"),
        ],
    )
    await socket.connect()
    await socket.disconnect()
    assert "websocket.closed" in logged.getvalue()
    assert leaks(logged.getvalue()) == []
