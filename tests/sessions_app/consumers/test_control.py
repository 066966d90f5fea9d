"""Controls of a client, take-over of tracks, and the end of a session."""

import asyncio
import threading

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from sessions_app.models import Segment, Track
from sessions_app.services import session_end, session_erase
from sessions_app.services.sessions import recording_pause_set
from sessions_app.streaming.live import pause
from sessions_app.streaming.wire import controls
from tests.fakes.audio import silence, speech
from tests.fakes.sockets import TIMEOUT, StreamClient

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_loop_never_blocks"),
]

in_db = database_sync_to_async


# --- control --------------------------------------------------------------------------------------


async def test_pausing_the_recording_pauses_every_track_until_resumed(gateway, session, tapes):
    async with StreamClient(session) as customer, StreamClient(session, speaker="agent") as agent:
        for each in (customer, agent):
            each.send_audio(silence(0.5))
            await each.ping()
        for track in gateway.session(session.id).tracks:
            await track.begun()
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


async def test_a_pause_requested_twice_is_answered_twice(gateway, session):
    async with StreamClient(session) as client:
        for _ in range(2):
            client.send(type="session.control", action="pause_recording")
            await client.next("session.paused")


async def test_a_pause_is_answered_once_when_its_notification_arrives_first(
    gateway, session, monkeypatch
):
    heard = threading.Event()

    def slowly(*, session_id: str, paused: bool) -> None:
        recording_pause_set(session_id=session_id, paused=paused)
        heard.wait(TIMEOUT)

    monkeypatch.setattr(pause, "recording_pause_set", slowly)
    async with StreamClient(session, speaker="none") as client:
        client.send(type="session.control", action="pause_recording")
        await client.next("session.paused")
        heard.set()
        client.send(type="session.control", action="resume_recording")
        await client.next("session.resumed")
    assert [each["type"] for each in client.heard].count("session.paused") == 1


async def test_a_second_pause_holds_before_it_is_stored(gateway, session, tapes, monkeypatch):
    calls: list[bool] = []
    reached, go_on = threading.Event(), threading.Event()

    def slowly(*, session_id: str, paused: bool) -> None:
        calls.append(paused)
        if calls == [True, False, True]:
            reached.set()
            go_on.wait(TIMEOUT)
        recording_pause_set(session_id=session_id, paused=paused)

    monkeypatch.setattr(pause, "recording_pause_set", slowly)
    async with StreamClient(session) as client:
        client.send_audio(silence(0.5))
        await client.ping()
        for track in gateway.session(session.id).tracks:
            await track.begun()
        for action in ("pause", "resume", "pause"):
            client.send(type="session.control", action=f"{action}_recording")
        assert await asyncio.to_thread(reached.wait, TIMEOUT)
        client.send_audio(silence(0.5))
        await client.ping()
        assert tapes[0].seconds == pytest.approx(0.5)
        go_on.set()
        await client.next("session.paused")


async def test_a_pause_that_could_not_be_stored_does_not_stay(gateway, session, tapes, monkeypatch):
    def away(**values: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(controls, "ATTEMPTS", 1)
    async with StreamClient(session) as client:
        await client.next("session.ready")
        with monkeypatch.context() as patch:
            patch.setattr(pause, "recording_pause_set", away)
            client.send(type="session.control", action="pause_recording")
            await client.next("session.error")
        await gateway.session(session.id).refresh()
        client.send_audio(silence(0.5))
        await client.ping()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(0.5)


async def test_pauses_asked_for_too_fast_do_not_outlast_the_connection(
    gateway, session, tapes, monkeypatch
):
    go_on = threading.Event()

    def slowly(*, session_id: str, paused: bool) -> None:
        go_on.wait(TIMEOUT)
        recording_pause_set(session_id=session_id, paused=paused)

    monkeypatch.setattr(pause, "recording_pause_set", slowly)
    async with StreamClient(session, speaker="agent") as agent:
        await agent.next("session.ready")
        async with StreamClient(session, speaker="none") as client:
            await client.next("session.ready")
            for _ in range(controls.MAX_WAITING + 2):
                client.send(type="session.control", action="pause_recording")
            assert await client.closed() == 4429
            go_on.set()
        await agent.next("session.paused")
        for finishing in list(controls._finishing):
            await finishing
        # As on another server, whose requests end none of those that are known here.
        await in_db(recording_pause_set)(session_id=session.id, paused=False)
        await agent.next("session.resumed")
        agent.send_audio(silence(0.5))
        await agent.ping()
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(0.5)


async def test_a_client_that_joins_a_paused_session_is_paused(gateway, session, tapes):
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


# --- take-over ------------------------------------------------------------------------------------


async def test_a_newer_connection_takes_over_and_the_older_one_is_closed(gateway, session):
    async with StreamClient(session) as older:
        await older.next("session.ready")
        async with StreamClient(session) as newer:
            await newer.next("session.ready")
            assert await older.closed() == 4410
            await newer.ping()


async def test_audio_received_by_the_replaced_connection_is_still_transcribed(
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


# --- the end --------------------------------------------------------------------------------------


async def test_a_client_may_end_the_session(gateway, session):
    async with StreamClient(session) as client:
        client.send_audio(silence(1.0))
        client.send(type="session.end", reason="agent_hangup")
        ended = await client.next("session.ended")
        assert (ended["reason"], ended["duration"]) == ("agent_hangup", pytest.approx(1.0))
        assert await client.closed() == 1000
    await in_db(session.refresh_from_db)()
    assert (session.status, session.transcript_status) == ("ended", "complete")


async def test_a_client_may_ask_again_when_ending_the_session_failed(gateway, session, monkeypatch):
    def away(**values: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(controls, "ATTEMPTS", 1)
    async with StreamClient(session) as client:
        await client.next("session.ready")
        with monkeypatch.context() as patch:
            patch.setattr(controls, "session_end", away)
            client.send(type="session.end")
            error = await client.next("session.error")
            assert error["error"]["code"] == "internal_error"
        client.send(type="session.end", reason="agent_hangup")
        assert (await client.next("session.ended"))["reason"] == "agent_hangup"


async def test_ending_over_rest_notifies_every_connection(gateway, session):
    async with StreamClient(session) as client, StreamClient(session, speaker="none") as listener:
        for each in (client, listener):
            await each.next("session.ready")
        await in_db(session_end)(session=session)
        for each in (client, listener):
            assert (await each.next("session.ended"))["reason"] == "completed"
            assert await each.closed() == 1000


async def test_speech_received_before_the_end_is_transcribed_after_it(gateway, engine, session):
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


async def test_a_stopping_server_closes_every_connection_and_transcribes_the_rest(
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
