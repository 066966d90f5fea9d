"""A call that runs while its organization is suspended: cut off, and nothing of it lost."""

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from sessions_app.models import Segment, Session
from sessions_app.streaming import hub
from sessions_app.streaming.news import session_states
from tests.factories import SessionFactory
from tests.fakes.audio import speech
from tests.fakes.sockets import StreamClient

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "POLL", 0.05)


async def suspend(session: Session) -> None:
    organizations = Organization.objects.filter(pk=session.organization_id)
    await organizations.aupdate(suspended_at=timezone.now())


async def reinstate(session: Session) -> None:
    await Organization.objects.filter(pk=session.organization_id).aupdate(suspended_at=None)


@pytest.mark.parametrize("speaker", ["customer", "agent", "none"])
async def test_every_stream_is_closed_and_told_why(gateway, session, speaker):
    async with StreamClient(session, speaker=speaker) as client:
        await client.next("session.ready")
        await suspend(session)
        error = (await client.next("session.error"))["error"]
        assert await client.closed() == 4401
    assert (error["type"], error["code"]) == ("authorization_error", "organization_suspended")


async def test_what_was_said_until_then_is_recorded_and_transcribed(gateway, session, tapes):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        await client.next("speech.started")
        await suspend(session)
        assert await client.closed() == 4401
    await gateway.drain()
    assert tapes[0].seconds == pytest.approx(1.5)
    assert tapes[0].closed
    assert await Segment.objects.filter(session=session).acount() == 1


async def test_reinstated_the_call_goes_on_where_it_was(gateway, session):
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.0))
        await client.next("speech.started")
        await suspend(session)
        assert await client.closed() == 4401
    await reinstate(session)
    async with StreamClient(session) as client:
        assert (await client.next("session.ready"))["resumed"]


async def test_the_calls_of_others_go_on(gateway, session, cast):
    theirs = await sync_to_async(SessionFactory.create)(organization=cast.other_tenant.organization)
    async with StreamClient(session) as client, StreamClient(theirs) as other:
        await client.next("session.ready")
        await other.next("session.ready")
        await suspend(session)
        assert await client.closed() == 4401
        await other.ping()
        assert [message["type"] for message in other.heard] == ["session.ready", "pong"]


async def test_a_call_that_has_ended_still_hears_its_last_words(gateway, engine, session):
    engine.hold()
    async with StreamClient(session, clock="media") as client:
        await client.next("session.ready")
        client.send_audio(speech(1.5))
        client.send(type="session.end")
        await client.next("session.ended")
        await suspend(session)
        await gateway.hub.refresh(session.id)
        engine.release()
        assert (await client.next("transcript.final"))["text"] == "Hello there."
        assert await client.closed() == 1000


def test_the_poll_asks_for_all_sessions_at_once(django_assert_num_queries):
    sessions = SessionFactory.create_batch(3)
    with django_assert_num_queries(1):
        states = session_states([session.id for session in sessions])
    assert [states[session.id].suspended for session in sessions] == [False] * 3
