"""What a client that reconnects is sent, and what the server remembers of it."""

import asyncio
import threading

import pytest
from channels.db import database_sync_to_async

from sessions_app.models import Segment, Session
from sessions_app.services import claims
from sessions_app.services.claims import Beat
from sessions_app.services.sessions import recording_pause_set
from sessions_app.streaming.live import pause, track_rows
from sessions_app.streaming.wire import controls
from tests.factories import SegmentFactory
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import TIMEOUT, StreamClient

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_loop_never_blocks"),
]

in_db = database_sync_to_async


def store(session: Session, sequence: int) -> None:
    """As another server does, without a notification to this one."""
    SegmentFactory(session=session, sequence=sequence, text=f"line {sequence}")
    Session.objects.filter(id=session.id).update(segment_count=sequence)


def claim_elsewhere(session: Session) -> claims.Claim:
    """As another server does."""
    return claims.track_claim(session_id=session.id, speaker="customer", owner="elsewhere")


async def finals(client: StreamClient, count: int) -> list[str]:
    """The next ``count`` finals; checks that no more follow."""
    texts = [(await client.next("transcript.final"))["text"] for _ in range(count)]
    await client.ping()
    assert client.heard[-1]["type"] == "pong"
    return texts


async def test_segments_stored_while_the_client_was_away_are_sent_in_order_and_once(
    gateway, session
):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        await in_db(store)(session, 1)
        gateway.look(session.id)
        assert await finals(client, 1) == ["line 1"]
    for sequence in (2, 3):
        await in_db(store)(session, sequence)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["sequence"] == 1
        assert await finals(client, 2) == ["line 2", "line 3"]


async def test_segments_sent_after_the_client_s_last_message_are_sent_again(gateway, session):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send_audio(silence(0.1))
        await client.ping()
        await in_db(store)(session, 1)
        gateway.look(session.id)
        await client.next("transcript.final")  # the connection may be dead by now
    async with StreamClient(session) as client:
        await client.next("session.ready")
        assert await finals(client, 1) == ["line 1"]


async def test_a_client_that_never_sent_anything_gets_all_segments_since_it_connected(
    gateway, session
):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        await in_db(store)(session, 1)
        gateway.look(session.id)
        await client.next("transcript.final")
    async with StreamClient(session) as client:
        await client.next("session.ready")
        assert await finals(client, 1) == ["line 1"]


async def test_missed_segments_are_also_sent_by_another_server(gateway, session):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        await in_db(store)(session, 1)
        gateway.look(session.id)
        await finals(client, 1)
    await gateway.drain()
    await in_db(store)(session, 2)
    gateway.context.draining = False
    assert gateway.sessions == {}
    async with StreamClient(session) as client:
        await client.next("session.ready")
        assert await finals(client, 1) == ["line 2"]


async def test_a_stopping_server_sends_waiting_segments_before_it_closes(gateway, engine, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        await client.next("transcript.final")
        await gateway.drain()
        assert await client.closed() == 1001
    gateway.context.draining = False
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["sequence"] == 1
        assert await finals(client, 0) == []
    assert await in_db(Segment.objects.count)() == 1


@pytest.mark.parametrize("speaker", ["customer", "none"])
async def test_a_client_that_counts_segments_gets_those_after_its_since_parameter(
    gateway, session, speaker
):
    for sequence in (1, 2, 3):
        await in_db(store)(session, sequence)
    await in_db(session.refresh_from_db)()
    async with StreamClient(session, speaker=speaker, since="1") as client:
        assert (await client.next("session.ready"))["sequence"] == 1
        assert [(await client.next("transcript.final"))["sequence"] for _ in range(2)] == [2, 3]


async def test_a_since_parameter_beyond_the_last_segment_is_lowered_to_it(gateway, session):
    async with StreamClient(session, since="99") as client:
        assert (await client.next("session.ready"))["sequence"] == 0
        await in_db(store)(session, 1)
        gateway.look(session.id)
        assert await finals(client, 1) == ["line 1"]


async def test_a_first_connection_gets_only_new_segments(gateway, session):
    await in_db(store)(session, 1)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["sequence"] == 1
        assert await finals(client, 0) == []


# --- pauses and mute ------------------------------------------------------------------------------


async def test_a_client_that_connects_during_a_pause_is_told_that_the_session_is_paused(
    gateway, session
):
    await in_db(recording_pause_set)(session_id=session.id, paused=True)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["recording_paused"] is True
        await gateway.session(session.id).refresh()
        await in_db(recording_pause_set)(session_id=session.id, paused=False)
        await client.next("session.resumed")
    assert [each["type"] for each in client.heard].count("session.paused") == 0


async def test_a_client_that_connects_after_a_pause_gets_no_pause_message(gateway, session):
    await in_db(recording_pause_set)(session_id=session.id, paused=True)
    await in_db(recording_pause_set)(session_id=session.id, paused=False)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["recording_paused"] is False
        await gateway.session(session.id).refresh()
        await client.ping()
    assert "session.resumed" not in [each["type"] for each in client.heard]


async def test_pausing_the_transcription_is_answered_and_outlasts_the_connection(
    gateway, engine, session
):
    async with StreamClient(session, clock="media") as client:
        client.send(type="session.control", action="pause_transcription")
        assert (await client.next("transcription.paused"))["speaker"] == "customer"
    async with StreamClient(session, clock="media") as client:
        assert (await client.next("session.ready"))["transcription_paused"] is True
        client.send_audio(speech(1.5))
        client.send(type="session.control", action="resume_transcription")
        await client.next("transcription.resumed")
    await gateway.drain()
    assert engine.requests == []


async def test_a_muted_speaker_is_still_muted_after_a_reconnect(gateway, session, tapes):
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send(type="session.control", action="mute")
        client.send_audio(silence(0.1))
        await client.ping()
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["muted"] is True
        client.send_audio(silence(0.5))
        client.send(type="session.control", action="unmute")
        client.send_audio(silence(0.3))
        await client.ping()
    await gateway.drain()
    assert [tape.seconds for tape in tapes] == pytest.approx([0.0, 0.3])


async def test_who_comes_back_from_another_server_goes_on_as_it_was_left_there(
    gateway, engine, session, tapes
):
    def speak_elsewhere() -> None:
        claim = claims.track_claim(session_id=session.id, speaker="customer", owner="elsewhere")
        claims.track_switch_set(claim=claim, muted=True)
        claims.tracks_beat([Beat(claim, 9.0, heard=True, replaced=False, told_sequence=2)])
        claims.track_release(claim=claim, position=9.5, told_sequence=3)

    engine.hold()
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        await client.ping()
    # This server is still busy with what was said here when the client comes back.
    for sequence in (1, 2, 3):
        await in_db(store)(session, sequence)
    await in_db(speak_elsewhere)()
    async with StreamClient(session, clock="media") as client:
        ready = await client.next("session.ready")
        assert (ready["sequence"], ready["muted"]) == (3, True)
        client.send_audio(silence(0.5))
        await client.ping()
        engine.release()
    await gateway.drain()
    assert tapes[-1].seconds == 0


async def test_a_mute_that_is_not_stored_yet_holds_on_the_server_that_takes_over(
    gateway, session, monkeypatch
):
    stuck = threading.Event()
    monkeypatch.setattr(controls, "track_switch_set", lambda **_: stuck.wait(TIMEOUT))
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send(type="session.control", action="mute")
        client.send(type="session.control", action="pause_transcription")
        await client.ping()
        claim = await in_db(claim_elsewhere)(session)
        assert await in_db(claims.track_handed_over)(claim) is None
        await gateway.session(session.id).refresh()
        handed_over = await track_rows.await_handover(claim)
        stuck.set()
    assert handed_over is not None
    assert (handed_over.muted, handed_over.transcription_paused) == (True, True)


async def test_a_mute_that_is_not_stored_yet_holds_after_a_reconnect_and_a_take_over(
    gateway, session, monkeypatch
):
    stuck = threading.Event()
    monkeypatch.setattr(controls, "track_switch_set", lambda **_: stuck.wait(TIMEOUT))
    async with StreamClient(session) as first:
        await first.next("session.ready")
        first.send(type="session.control", action="mute")
        await first.ping()
        async with StreamClient(session) as second:
            assert (await second.next("session.ready"))["muted"] is True
            claim = await in_db(claim_elsewhere)(session)
            await gateway.session(session.id).refresh()
            handed_over = await track_rows.await_handover(claim)
            stuck.set()
    assert handed_over is not None
    assert handed_over.muted


async def test_a_mute_that_another_server_hands_over_late_is_applied(
    gateway, session, tapes, monkeypatch
):
    monkeypatch.setattr(track_rows, "HANDOVER_WAIT", 0.0)
    monkeypatch.setattr(track_rows, "LATE_HANDOVER_POLL", 0.01)
    elsewhere = await in_db(claim_elsewhere)(session)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["muted"] is False
        client.send_audio(silence(0.3))
        await client.ping()
        await in_db(claims.track_hand_over)(
            claim=elsewhere, position=0.0, told_sequence=None, switches={"muted": True}
        )
        (track,) = gateway.session(session.id).tracks
        async with asyncio.timeout(TIMEOUT):
            while not track.switches.muted:  # noqa: ASYNC110 - it reads the row now and then
                await asyncio.sleep(0.01)
        client.send_audio(silence(0.5))
        await client.ping()
    await gateway.drain()
    assert [tape.seconds for tape in tapes] == pytest.approx([0.3])


async def test_a_pause_holds_for_a_client_that_reconnects_before_it_is_stored(
    gateway, session, tapes, monkeypatch
):
    go_on = threading.Event()

    def slowly(*, session_id: str, paused: bool) -> None:
        go_on.wait(TIMEOUT)
        recording_pause_set(session_id=session_id, paused=paused)

    monkeypatch.setattr(pause, "recording_pause_set", slowly)
    async with StreamClient(session) as client:
        await client.next("session.ready")
        client.send(type="session.control", action="pause_recording")
        await client.ping()
    while gateway.session(session.id).tracks:  # noqa: ASYNC110 - the old track is released
        await asyncio.sleep(0.01)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["recording_paused"] is True
        client.send_audio(silence(0.5))
        await client.ping()
        go_on.set()
        await gateway.session(session.id).refresh()
    await gateway.drain()
    assert [tape.seconds for tape in tapes] == [0.0, 0.0]
