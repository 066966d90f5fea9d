"""Clients that send malformed messages, flood the server, stay silent or never read."""

import pytest
from channels.db import database_sync_to_async

from sessions_app.streaming.live import gateway as gateways
from sessions_app.streaming.wire import limits
from tests.fakes.audio import silence
from tests.fakes.sockets import StreamClient

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


MALFORMED = {
    "not json": "hello",
    "an array": "[]",
    "no type": "{}",
    "an unknown type": '{"type": "audio.output"}',
    "deep nesting": "[" * 60_000,
    "bad base64": '{"type":"audio.input","audio":{"encoding":"mulaw","sample_rate_hz":8000,'
    '"channels":1,"payload":"@@@"}}',
    "odd pcm": '{"type":"audio.input","audio":{"encoding":"pcm_s16le","sample_rate_hz":8000,'
    '"channels":1,"payload":"AAAA"}}',
    "an unknown encoding": '{"type":"audio.input","audio":{"encoding":"opus","sample_rate_hz":8000,'
    '"channels":1,"payload":"AAAA"}}',
    "a wrong rate": '{"type":"audio.input","audio":{"encoding":"mulaw","sample_rate_hz":1,'
    '"channels":1,"payload":"AAAA"}}',
    "a negative sequence": '{"type":"audio.input","sequence":-1,"audio":{"encoding":"mulaw",'
    '"sample_rate_hz":8000,"channels":1,"payload":"AAAA"}}',
    "a huge sequence": '{"type":"audio.input","sequence":1e300,"audio":{"encoding":"mulaw",'
    '"sample_rate_hz":8000,"channels":1,"payload":"AAAA"}}',
    "a lone surrogate": '{"type":"\\ud800"}',
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_frame_gets_an_error_and_the_call_goes_on(gateway, session, frame):
    async with StreamClient(session) as client:
        client.send_text(frame)
        error = await client.next("session.error")
        assert error["error"]["type"] == "validation_error"
        await client.ping()


async def test_a_binary_frame_without_audio_start_is_an_error(gateway, session):
    async with StreamClient(session) as client:
        client.send_bytes(b"\xff" * 160)
        await client.next("session.error")
        await client.ping()


async def test_twenty_malformed_frames_in_a_row_close_the_connection(gateway, session):
    async with StreamClient(session) as client:
        for _ in range(limits.MALFORMED_IN_A_ROW - 1):
            client.send_text("nonsense")
        await client.ping()
        for _ in range(limits.MALFORMED_IN_A_ROW):
            client.send_text("nonsense")
        assert await client.closed() == 4400


async def test_a_frame_over_the_limit_closes_the_connection(gateway, session):
    async with StreamClient(session) as client:
        client.send_text(" " * (64 * 1024 + 1))
        assert await client.closed() == 4413


async def test_a_flood_of_pings_is_refused(gateway, session):
    async with StreamClient(session) as client:
        for _ in range(1000):
            client.send(type="ping")
        assert await client.closed() == 4429
    pongs = [message for message in client.heard if message["type"] == "pong"]
    assert len(pongs) < 200


async def test_thousands_of_tiny_frames_are_refused(gateway, session):
    async with StreamClient(session) as client:
        client.send_audio(silence(2.0), step=8)
        assert await client.closed() == 4429


async def test_audio_far_faster_than_real_time_is_slowed_down_or_refused(gateway, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(silence(400.0))
        assert await client.closed() == 4429


async def test_a_minute_of_audio_at_once_is_accepted(gateway, session, tapes):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(silence(60.0))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(60.0)


async def test_a_client_that_never_reads_is_dropped(gateway, session, monkeypatch):
    monkeypatch.setattr("sessions_app.streaming.wire.outbox.OUTBOX_MESSAGES", 20)
    monkeypatch.setattr("sessions_app.consumers.CLOSE_WITHIN", 0.05)
    async with StreamClient(session, reading=False) as client:
        for _ in range(30):
            client.send(type="ping")
        await client.gone()


async def test_a_silent_speaker_is_disconnected_but_a_listener_is_not(
    gateway, session, settings, monkeypatch
):
    settings.STREAM_SILENCE = 0.05
    monkeypatch.setattr(gateways, "HEARTBEAT", 0.05)
    async with (
        StreamClient(session, speaker="none") as listener,
        StreamClient(session) as speaker,
    ):
        assert await speaker.closed() == 4408
        await listener.ping()


async def test_a_heartbeat_that_fails_for_one_connection_still_reaches_the_others(
    gateway, session, settings, monkeypatch
):
    settings.STREAM_SILENCE = 0.2  # several beats
    monkeypatch.setattr(gateways, "HEARTBEAT", 0.05)

    class Faulty:
        def tick(self, seconds: float) -> None:
            raise RuntimeError("a fault")

        def go_away(self) -> None:
            pass

    live, faulty = gateway.session(session.id), Faulty()
    live.connect(faulty)
    async with StreamClient(session) as speaker:
        assert await speaker.closed() == 4408
    live.disconnect(faulty)
