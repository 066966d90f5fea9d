"""Twilio media streams: the token comes in a message, and only speech is sent back."""

import base64
import logging
from typing import Any

import pytest
from channels.db import database_sync_to_async

from kallglot_site.api.ids import new_id
from sessions_app.live_events import AudioOutput
from sessions_app.media import AudioFormat
from sessions_app.models import Segment, Session, Track
from sessions_app.services import session_end
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.wire import limits
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.factories import SessionFactory
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import StreamClient
from tests.fakes.twilio import CONNECTED, STREAM_SID, TwilioClient

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


async def begin_to_speak(twilio: TwilioClient, gateway: Gateway) -> None:
    """Returns once the track is claimed and its first audio is on the timeline."""
    twilio.start()
    twilio.send_audio(silence(0.1))
    await twilio.handled()
    await gateway.session(twilio.session.id).tracks[0].begun()


# --- audio from Twilio ----------------------------------------------------------------------------


async def test_speech_becomes_a_segment_and_twilio_is_sent_no_transcript(gateway, session):
    async with TwilioClient(session) as twilio, StreamClient(session, speaker="none") as listener:
        twilio.start()
        twilio.send_audio(speech(1.5))
        twilio.send_audio(silence(1.5))
        final = await listener.next("transcript.final")
        assert (final["text"], final["speaker"]) == ("Hello there.", "customer")
        assert await twilio.stop() == 1000
    assert twilio.heard == []
    segment = await in_db(Segment.objects.get)(session=session)
    assert segment.id == final["id"]


async def test_each_twilio_track_claims_its_party_at_its_first_audio(gateway, session, tapes):
    async with TwilioClient(session) as twilio:
        twilio.start(tracks=("inbound", "outbound"))
        twilio.send_audio(silence(0.5))
        await twilio.handled()
        await gateway.session(session.id).tracks[0].begun()
        assert [tape.context.speaker for tape in tapes] == ["customer"]
        twilio.send_audio(silence(0.3), speaker="agent")
        await twilio.stop()
    await gateway.drain()
    heard = {tape.context.speaker: tape.seconds for tape in tapes}
    assert heard == {"customer": pytest.approx(0.5), "agent": pytest.approx(0.3)}


async def test_a_stream_of_the_agent_only_does_not_claim_the_customer(gateway, session, tapes):
    async with StreamClient(session) as customer, TwilioClient(session) as twilio:
        await customer.next("session.ready")
        twilio.start(tracks=("outbound",))
        twilio.send_audio(silence(0.3), speaker="agent")
        await twilio.stop()
        await customer.ping()
    await gateway.drain()
    heard = {tape.context.speaker: tape.seconds for tape in tapes}
    assert heard == {"customer": 0, "agent": pytest.approx(0.3)}


async def test_a_stopped_stream_does_not_end_the_session_and_another_continues_it(
    gateway, session, tapes
):
    for _ in range(2):
        async with TwilioClient(session) as twilio:
            twilio.start()
            twilio.send_audio(silence(1.0))
            assert await twilio.stop() == 1000
    await gateway.drain()
    assert tapes[1].frames[0].start >= tapes[0].frames[-1].end
    await in_db(session.refresh_from_db)()
    assert session.status == "active"


async def test_a_stream_takes_over_from_an_older_one_of_the_same_party(gateway, session):
    async with TwilioClient(session) as older:
        await begin_to_speak(older, gateway)
        async with TwilioClient(session) as newer:
            newer.start()
            assert await older.closed() == 4410
            assert await newer.stop() == 1000


# --- audio to Twilio ------------------------------------------------------------------------------


async def test_speech_for_the_party_is_sent_to_twilio_and_then_marked(gateway, session):
    async with TwilioClient(session) as twilio:
        await begin_to_speak(twilio, gateway)
        mulaw = AudioFormat("mulaw", 8000)
        [connection] = gateway.session(session.id).connections
        connection.say(AudioOutput("seg_1", "agent", 0, mulaw, b"\x7f" * 160, True))
        assert await twilio.next() == {
            "event": "media",
            "streamSid": STREAM_SID,
            "media": {"payload": base64.b64encode(b"\x7f" * 160).decode()},
        }
        assert await twilio.next() == {
            "event": "mark",
            "streamSid": STREAM_SID,
            "mark": {"name": "seg_1:0"},
        }
        await twilio.handled()
        await twilio.stop()
    assert len(twilio.heard) == 2


async def test_the_stream_is_closed_at_once_when_the_session_ends(gateway, engine, session):
    """Twilio continues the call only when the connection closes, and is sent no transcripts."""
    engine.hold()
    async with TwilioClient(session) as twilio:
        twilio.start()
        twilio.send_audio(speech(1.5))
        await twilio.handled()
        await gateway.session(session.id).tracks[0].begun()
        await in_db(session_end)(session=session)
        assert await twilio.closed() == 1000
        await in_db(session.refresh_from_db)()
        assert session.transcript_status != "complete"
        engine.release()
    await gateway.drain()
    assert twilio.heard == []
    assert await in_db(Segment.objects.count)() == 1


async def test_a_stopping_server_closes_the_stream(gateway, session):
    async with TwilioClient(session) as twilio:
        await begin_to_speak(twilio, gateway)
        await gateway.drain()
        assert await twilio.closed() == 1001
    assert not await in_db(Track.objects.exclude(owner="").exists)()


# --- identity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "kst_live_nonsense", 7, {}, ["kst_live_x"], "\x00", "é"])
async def test_an_invalid_token_is_refused_without_a_message(gateway, session, token):
    async with TwilioClient(session) as twilio:
        twilio.start(token)
        assert await twilio.closed() == 4401
    assert twilio.heard == []


@pytest.mark.parametrize("parameters", [{}, [], None, "token", {"Token": "x"}])
async def test_a_start_without_a_token_is_refused(gateway, session, parameters):
    async with TwilioClient(session) as twilio:
        twilio.send(**CONNECTED)
        twilio.send(**twilio.messages.start(parameters))
        assert await twilio.closed() == 4401
    assert twilio.heard == []


async def test_unusable_tokens_close_the_stream_with_a_code_per_reason(gateway, session, settings):
    other = await in_db(SessionFactory.create)(organization=session.organization)
    unknown = Session(id=new_id("sess"))
    settings.STREAM_TOKEN_TTL = -1
    expired, _ = stream_token_issue(session, None)
    settings.STREAM_TOKEN_TTL = 300
    listening, _ = stream_token_issue(session, None, speakers=["none"])
    ours, _ = stream_token_issue(session, None)
    for address, token, code in (
        (other, ours, 4401),
        (session, expired, 4401),
        (session, listening, 4401),
        (unknown, ours, 4404),
    ):
        async with TwilioClient(address) as twilio:
            twilio.start(token)
            assert await twilio.closed() == code
        assert twilio.heard == []
    await in_db(session_end)(session=session)
    async with TwilioClient(session) as twilio:
        twilio.start(ours)
        assert await twilio.closed() == 4409
    assert twilio.heard == []


@pytest.mark.parametrize(
    ("messages", "limit"),
    [([], "FIRST_MESSAGE_WITHIN"), ([CONNECTED], "AUTHENTICATE_WITHIN")],
    ids=["nothing", "only connected"],
)
async def test_a_client_that_never_identifies_itself_is_disconnected_in_time(
    gateway, session, monkeypatch, messages: list[dict[str, Any]], limit: str
):
    monkeypatch.setattr(limits, limit, 0.05)
    async with TwilioClient(session) as twilio:
        for message in messages:
            twilio.send(**message)
        assert await twilio.closed() == 4401
    assert all(message["type"] == "session.error" for message in twilio.heard)
    assert not (messages and twilio.heard)


async def test_a_stream_without_the_connected_message_is_accepted(gateway, session):
    async with TwilioClient(session) as twilio:
        token, _ = stream_token_issue(session, None)
        twilio.send(**twilio.messages.start({"token": token}))
        assert await twilio.stop() == 1000
    assert await in_db(Track.objects.filter(speaker="customer").exists)()


@pytest.mark.parametrize(
    "first", ['{"type": "ping"}', "hello", "[]", "{}", '{"event": 1}', "[" * 60_000]
)
async def test_a_client_that_is_not_twilio_is_told_that_its_token_is_missing(
    gateway, session, first
):
    async with StreamClient(session, token="") as client:
        client.send_text(first)
        assert await client.closed() == 4401
    assert [message["error"]["code"] for message in client.heard] == ["invalid_token"]


async def test_unauthenticated_connections_take_no_capacity_from_calls(gateway, session, settings):
    settings.MAX_STREAMS = 1
    async with TwilioClient(session) as stranger, StreamClient(session) as client:
        stranger.send(**CONNECTED)
        await stranger.handled()
        await client.next("session.ready")
        stranger.start()
        assert await stranger.closed() == 1013
    assert stranger.heard == []


async def test_a_stream_that_stops_before_its_start_is_closed(gateway, session):
    async with TwilioClient(session) as twilio:
        twilio.send(**CONNECTED)
        assert await twilio.stop() == 1000


async def test_a_client_that_disconnects_before_its_first_message_is_forgotten(gateway, session):
    async with TwilioClient(session) as twilio:
        await twilio.hang_up()
        await twilio.gone()


async def test_tokens_and_digits_are_kept_out_of_the_log(gateway, session, caplog):
    caplog.set_level(logging.DEBUG)
    token, _ = stream_token_issue(session, None)
    for given in (token, token[:-1]):
        async with TwilioClient(session) as twilio:
            twilio.start(given)
            twilio.send(**twilio.messages.dtmf("4719"))
            twilio.send_text(f'{{"event": "start", "start": "{token}"')
            await twilio.stop()
    assert caplog.records
    said = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert token[:40] not in said
    assert "4719" not in said


# --- hostile messages -----------------------------------------------------------------------------

PIECE = base64.b64encode(b"\xff" * 160).decode()
MALFORMED = {
    "not json": "hello",
    "an array": "[]",
    "no event": "{}",
    "Kallglot's own": '{"type": "ping"}',
    "deep nesting": "[" * 60_000,
    "a lone surrogate": '{"event":"\\ud800"}',
    "another stream": f'{{"event":"media","streamSid":"MZ2","media":{{"payload":"{PIECE}"}}}}',
    "bad base64": '{"event":"media","media":{"payload":"@@@"}}',
    "no payload": '{"event":"media","media":{"track":"inbound"}}',
    "an unknown track": f'{{"event":"media","media":{{"track":"both","payload":"{PIECE}"}}}}',
    "a huge chunk": f'{{"event":"media","media":{{"chunk":"{"9" * 5000}","payload":"{PIECE}"}}}}',
    "a second start": '{"event":"start","start":{"customParameters":{"token":"kst_live_x"}}}',
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_frame_is_dropped_without_an_answer_and_the_call_continues(
    gateway, session, tapes, frame
):
    async with TwilioClient(session) as twilio:
        twilio.start()
        for _ in range(limits.MALFORMED_IN_A_ROW - 1):
            twilio.send_text(frame)
        twilio.send_audio(silence(0.02))
        for _ in range(limits.MALFORMED_IN_A_ROW - 1):
            twilio.send_text(frame)
        assert await twilio.stop() == 1000
    assert twilio.heard == []
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(0.02)


async def test_twenty_malformed_frames_in_a_row_close_the_stream(gateway, session):
    async with TwilioClient(session) as twilio:
        twilio.start()
        for _ in range(limits.MALFORMED_IN_A_ROW):
            twilio.send_bytes(b"\xff" * 160)
        assert await twilio.closed() == 4400
    assert twilio.heard == []


async def test_audio_before_the_start_is_dropped(gateway, session, tapes):
    async with TwilioClient(session) as twilio:
        twilio.send(**CONNECTED)
        twilio.send_audio(silence(0.1))
        twilio.start()
        twilio.send_audio(silence(0.2))
        await twilio.stop()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(0.2)


async def test_audio_without_a_start_message_closes_the_connection(gateway, session):
    async with TwilioClient(session) as twilio:
        twilio.send_audio(silence(1.0))
        assert await twilio.closed() == 4400
    assert twilio.heard == []


async def test_many_parameters_are_accepted_up_to_the_size_of_a_frame(gateway, session):
    token, _ = stream_token_issue(session, None)
    for size, code in ((60_000, 1000), (70_000, 4413)):
        async with TwilioClient(session) as twilio:
            twilio.send(**CONNECTED)
            twilio.send(**twilio.messages.start({"note": "x" * size, "token": token}))
            assert await twilio.stop() == code
        assert twilio.heard == []


async def test_a_frame_over_the_limit_closes_the_stream(gateway, session):
    async with TwilioClient(session) as twilio:
        twilio.start()
        twilio.send_text(" " * (64 * 1024 + 1))
        assert await twilio.closed() == 4413
    assert twilio.heard == []


@pytest.mark.parametrize("event", ["dtmf", "mark", "connected", "weather"])
async def test_a_flood_of_messages_without_audio_is_refused(gateway, session, event):
    async with TwilioClient(session) as twilio:
        twilio.start()
        for _ in range(2500):
            twilio.send(event=event)
        assert await twilio.closed() == 4429
    assert twilio.heard == []


async def test_thousands_of_tiny_frames_are_refused(gateway, session):
    async with TwilioClient(session) as twilio:
        twilio.start()
        twilio.send_audio(silence(3.0), step=8)
        assert await twilio.closed() == 4429
    assert twilio.heard == []
