"""One attempt, against receivers that behave badly on a real socket."""

import datetime
import gzip
import os
import socket
import ssl
import struct
import threading
import time

import httpcore
import pytest
from standardwebhooks import Webhook

from tests.fakes.certificates import certificate_make
from tests.fakes.receivers import receiving, reply
from tests.fakes.sockets import TIMEOUT
from webhooks_app import signing
from webhooks_app.delivery import network, urls
from webhooks_app.delivery.messages import Message
from webhooks_app.delivery.sender import STORED_BODY, Sender

SECRET = signing.secret_generate()


@pytest.fixture(autouse=True)
def _development(settings):
    """The receivers of these tests are local; those of the guard switch it back on."""
    settings.WEBHOOK_ALLOW_PRIVATE = True


def message(url):
    return Message(
        url=url,
        delivery_id="whd_1",
        endpoint_id="wh_1",
        event_id="evt_1",
        body=b'{"id":"evt_1"}',
        secrets=(SECRET,),
        attempts=0,
        tries=0,
        event_created_at=datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC),
        troubled=False,
    )


async def send(url, *, deadline=5.0, times=1, **options):
    sender = Sender(**{"allow_private": True, "deadline": deadline} | options)
    try:
        answers = [await sender.send(message(url)) for _ in range(times)]
    finally:
        await sender.aclose()
    return answers[-1]


async def test_a_delivery_carries_the_promised_headers_and_a_valid_signature():
    with receiving() as receiver:
        answer = await send(receiver.url)
    (got,) = receiver.received
    assert answer.succeeded
    assert answer.status_code == 200
    assert answer.response_body == "ok"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["kallglot-webhook-id"] == "whd_1"
    assert got.headers["kallglot-retry-count"] == "0"
    assert got.headers["kallglot-original-timestamp"] == "1772323200"
    assert got.headers["webhook-id"] == "evt_1"
    assert Webhook(SECRET).verify(got.body, got.headers) == {"id": "evt_1"}


async def test_a_connection_is_kept_for_the_next_delivery():
    with receiving() as receiver:
        await send(receiver.url, times=3)
    assert len(receiver.received) == 3
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(status):
    with receiving() as elsewhere:
        script = reply(status, headers={"Location": elsewhere.url})
        with receiving(script) as receiver:
            answer = await send(receiver.url)
    assert not answer.succeeded
    assert answer.status_code == status
    assert answer.error.startswith("redirect_refused")
    assert elsewhere.received == []


async def test_a_refusal_keeps_status_body_and_retry_after():
    with receiving(reply(503, b"later", {"Retry-After": "7"})) as receiver:
        answer = await send(receiver.url)
    assert (answer.succeeded, answer.status_code, answer.error) == (False, 503, None)
    assert answer.response_body == "later"
    assert answer.retry_after == 7


async def test_a_receiver_that_never_answers_is_cut_off_at_the_deadline():
    given_up = threading.Event()

    def hang(received, connection):
        given_up.wait(TIMEOUT)

    with receiving(hang) as receiver:
        answer = await send(receiver.url, deadline=0.3)
        given_up.set()
    assert answer.error.startswith("timeout")
    assert answer.status_code is None


async def test_a_receiver_that_sends_slowly_is_cut_off_at_the_deadline():
    def drip(received, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with receiving(drip) as receiver:
        answer = await send(receiver.url, deadline=1.0)
    assert not answer.succeeded
    assert answer.error.startswith("timeout")
    assert answer.response_body.startswith("xx")


async def test_a_receiver_that_sends_headers_slowly_is_cut_off_too():
    def drip(received, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with receiving(drip) as receiver:
        answer = await send(receiver.url, deadline=0.5)
    assert answer.error.startswith("timeout")


async def test_an_endless_body_is_a_failure_and_little_of_it_is_kept():
    def flood(received, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with receiving(flood) as receiver:
        answer = await send(receiver.url)
    assert not answer.succeeded
    assert answer.error.startswith("response_too_long")
    assert answer.response_body == "x" * STORED_BODY


async def test_a_compressed_body_is_never_decompressed():
    bomb = gzip.compress(b"\0" * 50_000_000)
    with receiving(reply(200, bomb, {"Content-Encoding": "gzip"})) as receiver:
        answer = await send(receiver.url)
    assert answer.response_body == "(gzip body, not decoded)"


async def test_a_long_body_of_a_good_answer_is_a_success_and_stored_capped():
    with receiving(reply(200, "é".encode() * 10_000)) as receiver:
        answer = await send(receiver.url)
    assert answer.succeeded
    assert len(answer.response_body.encode()) <= STORED_BODY


async def test_bytes_that_are_no_text_are_stored_as_text():
    with receiving(reply(200, b"\x00\xff\xfe" * 3000)) as receiver:
        answer = await send(receiver.url)
    assert "\x00" not in answer.response_body
    assert len(answer.response_body.encode()) <= STORED_BODY


async def test_a_connection_reset_is_a_failure():
    def reset(received, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())

    with receiving(reset) as receiver:
        answer = await send(receiver.url)
    assert not answer.succeeded
    assert answer.error.split(":")[0] in {"connection_lost", "invalid_response"}


async def test_an_answer_that_is_not_http_is_a_failure():
    with receiving(lambda received, connection: connection.sendall(b"\x00\x01junk\r\n\r\n")) as r:
        answer = await send(r.url)
    assert answer.error.startswith("invalid_response")


async def test_a_refused_connection_is_a_failure():
    with receiving() as receiver:
        url = receiver.url
    answer = await send(url)
    assert answer.error.startswith("connection_failed")


async def test_an_invalid_certificate_is_a_failure(certificate):
    with receiving(tls=certificate) as receiver:
        answer = await send(f"https://localhost:{receiver.port}/")
    assert answer.error.startswith("tls_error")
    assert receiver.received == []


@pytest.fixture
def certificate(tmp_path):
    """A server's TLS context with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_make(tmp_path))
    return context


# --- The guard -----------------------------------------------------------------------------------


@pytest.fixture
def resolved(monkeypatch, settings):
    """Names resolve to what the test says, one answer after the other."""
    settings.WEBHOOK_ALLOW_PRIVATE = False
    answers: list[list[str]] = []
    monkeypatch.setattr(
        network, "resolve", lambda host, port: answers.pop(0) if len(answers) > 1 else answers[0]
    )
    return answers


async def test_a_private_address_is_refused_at_connect(resolved):
    resolved.append(["127.0.0.1"])
    answer = await send("https://hooks.example.com/", allow_private=False)
    assert answer.error.startswith("blocked_address")


async def test_a_name_with_one_private_address_among_public_ones_is_refused(resolved):
    resolved.append(["93.184.216.34", "10.0.0.1"])
    answer = await send("https://hooks.example.com/", allow_private=False)
    assert answer.error.startswith("blocked_address")


async def test_only_the_checked_address_is_connected_to(resolved, monkeypatch):
    """A name that turns private after the check cannot matter: it is resolved once."""
    resolved.extend([["93.184.216.34"], ["127.0.0.1"]])
    dialled = []

    async def connect(self, host, port, **options):
        dialled.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    await send("https://hooks.example.com/", allow_private=False)
    assert dialled == ["93.184.216.34"]


async def test_a_second_address_is_tried_when_the_first_is_dead(settings, monkeypatch):
    with receiving() as receiver:
        monkeypatch.setattr(network, "resolve", lambda host, port: ["127.0.0.99", "127.0.0.1"])
        answer = await send(f"http://hooks.example.com:{receiver.port}/")
    assert answer.succeeded
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{receiver.port}"


async def test_a_url_that_is_no_longer_allowed_is_not_dialled(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with receiving() as receiver:
        answer = await send(receiver.url, allow_private=False)
    assert answer.error.startswith("invalid_url")
    assert receiver.received == []


async def test_an_unknown_name_is_a_failure(monkeypatch):
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(network, "resolve", unknown)
    answer = await send("http://hooks.example.com/")
    assert answer.error == "unknown_host: hooks.example.com: Name or service not known"


async def test_behind_a_proxy_a_private_address_is_still_refused(resolved):
    resolved.append(["10.0.0.1"])
    with receiving() as proxy:
        answer = await send(
            "https://hooks.example.com/",
            allow_private=False,
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
    assert answer.error.startswith("blocked_address")
    assert proxy.received == []


async def test_a_proxy_is_asked_to_connect(resolved):
    resolved.append(["93.184.216.34"])
    with receiving(reply(403)) as proxy:
        answer = await send(
            "https://hooks.example.com/",
            allow_private=False,
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
    assert proxy.received[0].path == "hooks.example.com:443"
    assert answer.error.startswith("proxy_error")


def test_the_real_resolver_reads_numbers_as_the_system_dials_them():
    assert urls.resolve("0x7f.1", 443) == ["127.0.0.1"]
