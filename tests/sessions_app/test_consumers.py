"""One client's connection: refusals, audio, control, take-over, the end."""

from collections.abc import AsyncIterator

import pytest
from channels.db import database_sync_to_async
from django.conf import LazySettings
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey
from kallglot_site.accounts.services import api_key_revoke
from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.api.ids import new_id
from sessions_app import runtime
from sessions_app.models import Segment, Session, Track
from sessions_app.services import session_end, session_erase
from sessions_app.streaming import gateway as gateways
from sessions_app.streaming import limits, taps
from sessions_app.streaming.gateway import Gateway
from sessions_app.streaming.media import PlacedFrame
from sessions_app.streaming.taps import TrackContext
from sessions_app.streaming.tokens import stream_token_issue
from tests.conftest import Cast
from tests.factories import SessionFactory
from tests.fakes.audio import silence, speech
from tests.fakes.engines import FakeTranscriber
from tests.fakes.sockets import StreamClient, mulaw, stereo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory(organization=cast.organization)


@pytest.fixture
def engine() -> FakeTranscriber:
    return FakeTranscriber(default="Hello there.")


@pytest.fixture
async def gateway(engine: FakeTranscriber, settings: LazySettings) -> AsyncIterator[Gateway]:
    settings.DRAIN_TIMEOUT = 5.0
    gateway = runtime.use(engine)
    yield gateway
    await gateway.drain()
    gateway.hub.close()


class Tape:
    """An audio tap that remembers."""

    def __init__(self, context: TrackContext) -> None:
        self.context = context
        self.frames: list[PlacedFrame] = []
        self.closed = False

    def write(self, frame: PlacedFrame) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True

    @property
    def seconds(self) -> float:
        return sum(frame.duration for frame in self.frames)


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    tapes: list[Tape] = []

    def tap(context: TrackContext) -> Tape:
        tapes.append(Tape(context))
        return tapes[-1]

    monkeypatch.setattr(taps, "_factories", [tap])
    return tapes


in_db = database_sync_to_async


# --- coming in -----------------------------------------------------------------------------------


async def test_a_connection_is_told_that_it_is_accepted(gateway, session):
    async with StreamClient(session) as client:
        ready = await client.next()
    assert ready == {
        "type": "session.ready",
        "session_id": session.id,
        "mode": "transcription",
        "source_language": None,
        "target_language": None,
        "speaker": "customer",
        "encodings": ["mulaw", "alaw", "pcm_s16le"],
        "resumed": False,
    }


async def test_the_token_may_come_in_the_header(gateway, session):
    client = StreamClient(session, token="")
    token, _ = stream_token_issue(session, None)
    client.headers = [(b"authorization", f"Bearer {token}".encode())]
    async with client:
        assert (await client.next())["type"] == "session.ready"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"token": "kst_live_nonsense"}, 4401),
        ({"token": ""}, 4401),
        ({"speaker": "robot"}, 4400),
        ({"clock": "sundial"}, 4400),
    ],
)
async def test_refusals_are_accepted_first_and_say_why(gateway, session, query, code):
    async with StreamClient(session, **query) as client:
        assert await client.closed() == code
    assert [message["type"] for message in client.heard] == ["session.error"]


async def test_every_refusal_leads_to_its_entry_on_the_error_page(gateway, session, settings):
    settings.PUBLIC_URL = "https://api.example.com"
    key = await in_db(ApiKey.objects.get)(
        organization_id=session.organization_id, environment="live"
    )
    stale, _ = stream_token_issue(session, key.id)
    await in_db(session_end)(session=session)
    refused = [
        StreamClient(session, token="kst_live_nonsense"),
        StreamClient(session, speaker="robot"),
        StreamClient(Session(id=new_id("sess")), token=stale),
        StreamClient(session),
    ]
    for client in refused:
        async with client:
            error = (await client.next("session.error"))["error"]
        assert error["type"] == ERROR_CODES[error["code"]].type
        assert error["doc_url"] == f"https://api.example.com/errors#{error['code']}"


async def test_a_suspended_organization_s_calls_are_refused_as_over_rest(gateway, session):
    session.organization.suspended_at = timezone.now()
    await in_db(session.organization.save)()
    async with StreamClient(session) as client:
        error = (await client.next("session.error"))["error"]
        assert await client.closed() == 4401
    assert (error["type"], error["code"]) == ("authorization_error", "organization_suspended")


async def test_tokens_that_no_longer_open_are_told_apart(gateway, session, cast):
    key = await in_db(ApiKey.objects.get)(organization=cast.organization, environment="live")
    token, _ = stream_token_issue(session, key.id)
    unknown = Session(id=new_id("sess"))
    async with StreamClient(unknown, token=token) as client:
        assert await client.closed() == 4404
    await in_db(api_key_revoke)(api_key=key)
    async with StreamClient(session, token=token) as client:
        assert await client.closed() == 4401
    await in_db(session_end)(session=session)
    async with StreamClient(session) as client:
        assert await client.closed() == 4409


async def test_a_full_server_says_to_try_later(gateway, session, settings):
    settings.MAX_STREAMS = 1
    async with StreamClient(session) as first, StreamClient(session, speaker="agent") as second:
        await first.next("session.ready")
        assert await second.closed() == 1013


async def test_a_server_far_behind_takes_no_more_speakers_but_listeners(
    gateway, engine, session, monkeypatch
):
    monkeypatch.setattr(FakeTranscriber, "backlog_seconds", 500.0)
    monkeypatch.setattr(FakeTranscriber, "capacity", 2.0)
    async with StreamClient(session) as client:
        assert await client.closed() == 1013
    async with StreamClient(session, speaker="none") as listener:
        await listener.next("session.ready")
    monkeypatch.setattr(FakeTranscriber, "backlog_seconds", 40.0)
    async with StreamClient(session) as client:
        assert (await client.next("session.warning"))["code"] == "transcription_delayed"


# --- audio ---------------------------------------------------------------------------------------


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


async def test_every_connection_of_the_session_hears_everyone(gateway, session):
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


async def test_binary_frames_hold_what_audio_start_says(gateway, session, tapes):
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


async def test_a_stereo_connection_speaks_for_both(gateway, session, tapes):
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


async def test_a_listener_may_not_speak(gateway, session):
    async with StreamClient(session, speaker="none") as client:
        client.send_audio(silence(0.1))
        assert (await client.next("session.error"))["error"]["param"] == "speaker"
    assert not await in_db(Track.objects.exists)()


async def test_audio_before_the_session_has_its_zero_is_not_lost(gateway, session, tapes):
    async with StreamClient(session) as client:
        client.send_audio(silence(3.0))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(3.0)
    assert tapes[0].closed
    await in_db(session.refresh_from_db)()
    assert session.duration == pytest.approx(3.0)


async def test_a_reconnect_resumes_on_the_same_timeline(gateway, session, tapes):
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


# --- what must not hurt --------------------------------------------------------------------------

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


async def test_a_minute_of_audio_at_once_is_welcome(gateway, session, tapes):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(silence(60.0))
        await client.ping()
        await client.hang_up()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(60.0)


async def test_a_client_that_never_reads_is_dropped(gateway, session, monkeypatch):
    monkeypatch.setattr("sessions_app.streaming.outbox.OUTBOX_MESSAGES", 20)
    monkeypatch.setattr("sessions_app.consumers.CLOSE_WITHIN", 0.05)
    async with StreamClient(session, reading=False) as client:
        for _ in range(30):
            client.send(type="ping")
        await client.gone()


async def test_a_speaker_from_whom_nothing_is_heard_is_closed_but_not_a_listener(
    gateway, session, monkeypatch
):
    monkeypatch.setattr(limits, "SILENCE", 0.05)
    monkeypatch.setattr(gateways, "BEAT", 0.05)
    async with (
        StreamClient(session, speaker="none") as listener,
        StreamClient(session) as speaker,
    ):
        assert await speaker.closed() == 4408
        await listener.ping()


# --- control -------------------------------------------------------------------------------------


async def test_a_pause_of_the_recording_holds_for_every_track_until_resumed(
    gateway, session, tapes
):
    async with StreamClient(session) as customer, StreamClient(session, speaker="agent") as agent:
        for each in (customer, agent):
            each.send_audio(silence(0.5))
            await each.ping()
        customer.send(type="session.control", action="pause_recording")
        for each in (customer, agent):
            await each.next("session.paused")
        before = [tape.seconds for tape in tapes]
        for each in (customer, agent):
            each.send_audio(silence(0.5))
            await each.ping()
        assert [tape.seconds for tape in tapes] == before
        agent.send(type="session.control", action="resume_recording")
        for each in (customer, agent):
            await each.next("session.resumed")
            each.send_audio(silence(0.5))
            await each.ping()
        assert [tape.seconds for tape in tapes] == pytest.approx([b + 0.5 for b in before])


async def test_asking_for_a_pause_twice_is_answered_twice(gateway, session):
    async with StreamClient(session) as client:
        for _ in range(2):
            client.send(type="session.control", action="pause_recording")
            await client.next("session.paused")


async def test_who_joins_a_paused_session_is_paused(gateway, session, tapes):
    async with StreamClient(session) as customer:
        customer.send_audio(silence(0.5))
        customer.send(type="session.control", action="pause_recording")
        await customer.next("session.paused")
        async with StreamClient(session, speaker="agent") as agent:
            agent.send_audio(silence(0.5))
            await agent.ping()
    await gateway.drain()
    assert {tape.context.speaker: tape.seconds for tape in tapes}["agent"] == 0


async def test_a_muted_speaker_is_neither_recorded_nor_transcribed(gateway, session, tapes):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send(type="session.control", action="mute")
        client.send_audio(silence(0.5))
        client.send(type="session.control", action="unmute")
        client.send_audio(silence(0.3))
        await client.ping()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(0.3)


# --- take-over -----------------------------------------------------------------------------------


async def test_a_newer_connection_takes_over_and_the_older_closes(gateway, session):
    async with StreamClient(session) as older:
        await older.next("session.ready")
        async with StreamClient(session) as newer:
            await newer.next("session.ready")
            assert await older.closed() == 4410
            await newer.ping()


async def test_what_the_replaced_connection_had_heard_is_still_transcribed(
    gateway, engine, session
):
    engine.hold()
    async with StreamClient(session, clock="media") as older:
        await older.next("session.ready")
        older.send_audio(speech(1.5))
        await older.ping()
        async with StreamClient(session) as newer:
            await newer.next("session.ready")
            assert await older.closed() == 4410
            engine.release()
            assert (await newer.next("transcript.final"))["text"] == "Hello there."


async def test_the_other_party_is_not_replaced(gateway, session):
    async with StreamClient(session) as customer, StreamClient(session, speaker="agent") as agent:
        await customer.next("session.ready")
        await agent.next("session.ready")
        await customer.ping()


# --- the end -------------------------------------------------------------------------------------


async def test_a_client_may_end_the_session(gateway, session):
    async with StreamClient(session) as client:
        client.send_audio(silence(1.0))
        client.send(type="session.end", reason="agent_hangup")
        ended = await client.next("session.ended")
        assert (ended["reason"], ended["duration"]) == ("agent_hangup", pytest.approx(1.0))
        assert await client.closed() == 1000
    await in_db(session.refresh_from_db)()
    assert (session.status, session.transcript_status) == ("ended", "complete")


async def test_an_end_by_rest_reaches_every_connection(gateway, session):
    async with StreamClient(session) as client, StreamClient(session, speaker="none") as listener:
        for each in (client, listener):
            await each.next("session.ready")
        await in_db(session_end)(session=session)
        for each in (client, listener):
            assert (await each.next("session.ended"))["reason"] == "completed"
            assert await each.closed() == 1000


async def test_speech_received_before_the_end_follows_it(gateway, engine, session):
    engine.hold()
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        client.send(type="session.end")
        await client.next("session.ended")
        client.send_audio(speech(1.5))  # too late
        engine.release()
        assert (await client.next("transcript.final"))["text"] == "Hello there."
        assert await client.closed() == 1000
    assert await in_db(Segment.objects.count)() == 1


async def test_an_erased_session_closes_its_connections(gateway, session):
    async with StreamClient(session, speaker="none") as client:
        await client.next("session.ready")
        await in_db(session_end)(session=session)
        await client.next("session.ended")
        await in_db(session_erase)(session=session)
        assert await client.closed() in {1000, 4404}


async def test_a_stopping_server_sends_everyone_away_and_finishes_what_was_said(
    gateway, engine, session
):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        await client.ping()
        await gateway.drain()
        assert await client.closed() == 1001
    assert await in_db(Segment.objects.count)() == 1
    assert not await in_db(Track.objects.exclude(owner="").exists)()
    async with StreamClient(session) as late:
        assert await late.closed() == 1001
