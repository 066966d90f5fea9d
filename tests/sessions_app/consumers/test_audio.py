"""How a connection's audio is placed, transcribed and recorded."""

from typing import Any

import pytest
from blockbuster import BlockingError
from channels.db import database_sync_to_async
from django.db import DataError

from kallglot_site.running import running_url
from sessions_app.models import Segment, Track
from sessions_app.services import session_end
from sessions_app.streaming.live import segment_queue
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import StreamClient, mulaw, stereo
from webhooks_app.models import Event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_loop_never_blocks"),
]

in_db = database_sync_to_async


async def test_speech_becomes_a_stored_segment_and_a_final(gateway, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        client.send_audio(silence(1.5))
        final = await client.next("transcript.final")
        assert final["text"] == "Hello there."
        assert [m["type"] for m in client.heard if m["type"].startswith("speech.")] == [
            "speech.started",
            "speech.stopped",
        ]
    segment = await in_db(Segment.objects.get)(session=session)
    assert segment.id == final["id"]
    await in_db(session.refresh_from_db)()
    assert session.status == "active"
    assert session.started_at is not None


async def test_every_connection_of_the_session_receives_the_same_final(gateway, session):
    async with (
        StreamClient(session, clock="media") as customer,
        StreamClient(session, speaker="agent") as agent,
        StreamClient(session, speaker="none") as listener,
    ):
        for each in (customer, agent, listener):
            await each.next("session.ready")
        customer.send_audio(speech(1.0))
        customer.send_audio(silence(1.5))
        finals = [await each.next("transcript.final") for each in (customer, agent, listener)]
    assert finals[0] == finals[1] == finals[2]


async def test_everybody_is_warned_of_a_segment_that_cannot_be_stored(
    gateway, session, monkeypatch
):
    def refuse(**_: Any) -> None:
        raise DataError("value out of range")

    monkeypatch.setattr(segment_queue, "segments_append", refuse)
    async with (
        StreamClient(session, clock="media") as client,
        StreamClient(session, speaker="none") as listener,
    ):
        await listener.next("session.ready")
        client.send_audio(speech(1.0))
        client.send_audio(silence(1.5))
        for each in (client, listener):
            warning = await each.next("session.warning")
            assert (warning["code"], warning["speaker"]) == ("transcription_failed", "customer")
        monkeypatch.undo()
        client.send_audio(speech(1.0))
        client.send_audio(silence(1.5))
        assert (await client.next("transcript.final"))["sequence"] == 1


async def test_binary_frames_are_decoded_as_audio_start_declares(gateway, session, tapes):
    async with StreamClient(session) as client:
        client.send(
            type="audio.start",
            audio={"encoding": "pcm_s16le", "sample_rate_hz": 16000, "channels": 1},
        )
        client.send_bytes(b"\0\0" * 1600)
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert [frame.duration for frame in tapes[0].frames] == [0.1]


async def test_a_stereo_connection_speaks_for_both_parties(gateway, session, tapes):
    async with StreamClient(session) as client:
        frame = stereo(silence(0.1), silence(0.1))
        client.send(type="audio.input", sequence=0, timestamp_ms=0, audio=mulaw(frame, 2))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert sorted((tape.context.speaker, tape.seconds) for tape in tapes) == [
        ("agent", 0.1),
        ("customer", 0.1),
    ]


async def test_audio_from_a_listening_connection_is_refused(gateway, session):
    async with StreamClient(session, speaker="none") as client:
        client.send_audio(silence(0.1))
        assert (await client.next("session.error"))["error"]["param"] == "speaker"
    assert not await in_db(Track.objects.exists)()


async def test_a_token_for_one_party_may_not_speak_for_the_other(gateway, session, tapes):
    token, _ = stream_token_issue(session, None, speakers=["customer"])
    async with StreamClient(session, token=token) as client:
        await client.next("session.ready")
        both = mulaw(stereo(silence(0.1), silence(0.1)), 2)
        client.send(type="audio.input", audio=both)
        client.send_audio(silence(0.1), speaker="agent")
        for _ in range(2):
            assert (await client.next("session.error"))["error"]["param"] == "speaker"
        client.send_audio(silence(0.1))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert [tape.context.speaker for tape in tapes] == ["customer"]


async def test_audio_received_before_the_session_starts_is_kept(gateway, session, tapes):
    async with StreamClient(session) as client:
        client.send_audio(silence(3.0))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(3.0)
    assert tapes[0].closed
    await in_db(session.refresh_from_db)()
    assert session.duration == pytest.approx(3.0)


async def test_a_reconnected_client_continues_on_the_same_timeline(gateway, session, tapes):
    async with StreamClient(session) as client:
        client.send_audio(silence(2.0))
        await client.ping()
    async with StreamClient(session) as again:
        assert (await again.next("session.ready"))["resumed"]
        again.send_audio(silence(0.5))
        await again.ping()
    await gateway.drain()
    assert tapes[1].frames[0].start >= tapes[0].frames[-1].end
    await in_db(session.refresh_from_db)()
    assert session.status == "active"


async def test_ending_over_rest_returns_the_duration_up_to_the_last_frame(gateway, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(silence(2.3))
        await client.ping()
        await gateway.session(session.id).tracks[0].begun()
        ended = await in_db(session_end)(session=session)
        assert ended.duration == pytest.approx(2.3)
        assert (await client.next("session.ended"))["duration"] == pytest.approx(2.3)
    event = await in_db(Event.objects.get)(type="session.ended")
    assert event.data["duration"] == pytest.approx(2.3)


async def test_a_blocking_call_in_the_event_loop_is_detected():
    with pytest.raises(BlockingError):
        running_url()  # takes a lock on a file
