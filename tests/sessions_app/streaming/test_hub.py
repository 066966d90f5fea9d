"""Followers of a session hear what is stored, once and in order, and what is being said."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from sessions_app.models import Session
from sessions_app.streaming import bells
from sessions_app.streaming import hub as hubs
from sessions_app.streaming.events import FinalTranscript, PartialTranscript, SpeechStarted
from sessions_app.streaming.hub import Subscription, TooSlow, get_hub, ring, subscribe
from sessions_app.streaming.news import session_view
from sessions_app.streaming.protocols.base import SessionEnded, SessionPaused
from tests.factories import SegmentFactory, SessionFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def hub() -> AsyncIterator[hubs.Hub]:
    hub = get_hub()
    yield hub
    await hub.close()


@pytest.fixture
def session() -> Session:
    return SessionFactory()


def store(session: Session, sequence: int, text: str) -> None:
    SegmentFactory(session=session, sequence=sequence, text=text)
    Session.objects.filter(id=session.id).update(segment_count=sequence)
    ring(session.id)


async def next_of(subscription: Subscription) -> Any:
    async with asyncio.timeout(10):
        return await anext(subscription)


async def test_stored_segments_arrive_in_order_and_once(hub, session):
    async with subscribe(session.id, after=0) as news:
        for sequence, text in enumerate(("one", "two", "three"), 1):
            await sync_to_async(store)(session, sequence, text)
            ring(session.id)
        heard = [await next_of(news) for _ in range(3)]
        assert [event.text for event in heard if isinstance(event, FinalTranscript)] == [
            "one",
            "two",
            "three",
        ]
        assert news._queue.empty()


async def test_a_late_subscriber_first_hears_what_it_does_not_know(hub, session):
    await sync_to_async(store)(session, 1, "known")
    await sync_to_async(store)(session, 2, "missed")
    async with subscribe(session.id, after=1) as news:
        event = await next_of(news)
        assert isinstance(event, FinalTranscript)
        assert event.text == "missed"


async def test_more_segments_than_one_look_reads_all_arrive(hub, session, monkeypatch):
    monkeypatch.setattr("sessions_app.streaming.news.SEGMENTS_PER_LOOK", 2)
    monkeypatch.setattr(hubs, "SEGMENTS_PER_LOOK", 2)
    for sequence in range(1, 6):
        await sync_to_async(store)(session, sequence, str(sequence))
    async with subscribe(session.id, after=0) as news:
        assert [(await next_of(news)).text for _ in range(5)] == list("12345")


async def test_a_complete_transcript_ends_nothing_before_all_of_it_is_heard(
    hub, session, monkeypatch
):
    # Somebody else's long way to catch up makes the looks short of what is new.
    monkeypatch.setattr("sessions_app.streaming.news.SEGMENTS_PER_LOOK", 2)
    monkeypatch.setattr(hubs, "SEGMENTS_PER_LOOK", 2)
    for sequence in range(1, 6):
        await sync_to_async(store)(session, sequence, str(sequence))
    async with subscribe(session.id, after=4) as at_the_end, subscribe(session.id, after=0) as late:
        completed = Session.objects.filter(id=session.id).update
        await sync_to_async(completed)(status="ended", transcript_status="complete")
        for news, texts in ((at_the_end, "5"), (late, "12345")):
            heard = [event async for event in news if isinstance(event, FinalTranscript)]
            assert [event.text for event in heard] == list(texts)


async def test_partials_and_speech_events_are_passed_on_at_once(hub, session):
    async with subscribe(session.id) as news:
        hub.publish(session.id, SpeechStarted("agent", 1.0))
        assert await next_of(news) == SpeechStarted("agent", 1.0)


async def test_a_partial_that_comes_after_its_final_is_not_passed_on(hub, session):
    async with subscribe(session.id, after=0) as news:
        await sync_to_async(store)(session, 1, "done")
        final = await next_of(news)
        assert isinstance(final, FinalTranscript)
        hub.publish(session.id, PartialTranscript(final.id, "customer", "en", "do", 0.0))
        hub.publish(session.id, SpeechStarted("agent", 1.0))
        assert isinstance(await next_of(news), SpeechStarted)


async def test_the_end_is_told_and_the_complete_transcript_ends_the_subscription(hub, session):
    def end(**columns: object) -> None:
        Session.objects.filter(id=session.id).update(**columns)
        ring(session.id)

    async with subscribe(session.id) as news:
        await sync_to_async(end)(status="ended", end_reason="completed", duration=2.5)
        assert await next_of(news) == SessionEnded("completed", 2.5)
        await sync_to_async(end)(transcript_status="complete")
        with pytest.raises(StopAsyncIteration):
            await next_of(news)


async def test_a_pause_is_told(hub, session):
    def pause() -> None:
        Session.objects.filter(id=session.id).update(recording_paused=True)
        ring(session.id)

    async with subscribe(session.id) as news:
        await sync_to_async(pause)()
        assert await next_of(news) == SessionPaused()


async def test_changes_nobody_rang_for_are_noticed_by_the_poll(hub, session, monkeypatch):
    monkeypatch.setattr(hubs, "POLL", 0.05)
    async with subscribe(session.id) as news:
        await sync_to_async(Session.objects.filter(id=session.id).update)(status="ended")
        assert isinstance(await next_of(news), SessionEnded)


async def test_an_erased_session_ends_the_subscription(hub, session):
    session_id = session.id
    async with subscribe(session_id) as news:
        await sync_to_async(session.delete)()
        ring(session_id)
        with pytest.raises(StopAsyncIteration):
            await next_of(news)


async def test_a_subscriber_that_never_reads_is_told_so_and_memory_stays_flat(hub, session):
    async with subscribe(session.id) as news:
        for _ in range(hubs.SUBSCRIPTION_SIZE + 10):
            hub.publish(session.id, SpeechStarted("agent", 1.0))
        assert news._queue.qsize() == hubs.SUBSCRIPTION_SIZE
        for _ in range(hubs.SUBSCRIPTION_SIZE):
            await next_of(news)
        with pytest.raises(TooSlow):
            await next_of(news)


async def test_a_look_that_failed_is_made_up_for_by_the_poll(hub, session, monkeypatch):
    monkeypatch.setattr(hubs, "POLL", 0.05)
    await sync_to_async(store)(session, 1, "missed")
    async with subscribe(session.id):
        await hub.refresh(session.id)  # the poll knows nothing newer than this room does
        looks = []

        def once_away(session_id: str, after: int | None) -> Any:
            looks.append(session_id)
            if len(looks) == 1:
                raise OperationalError("the database is away")
            return session_view(session_id, after)

        monkeypatch.setattr(hubs, "session_view", once_away)
        async with subscribe(session.id, after=0) as late:
            assert (await next_of(late)).text == "missed"


async def test_who_joins_during_a_look_is_told_only_what_was_read_afterwards(
    hub, session, monkeypatch
):
    # A party claims its track and joins; what was read before knows nothing of that claim.
    reading, go_on = threading.Event(), threading.Event()

    def slowly(session_id: str, after: int | None) -> Any:
        view = session_view(session_id, after)
        reading.set()
        go_on.wait(10)
        return view

    monkeypatch.setattr(hubs, "session_view", slowly)
    async with subscribe(session.id) as first:
        await asyncio.to_thread(reading.wait, 10)
        await sync_to_async(Session.objects.filter(id=session.id).update)(recording_paused=True)
        views: list[Any] = []
        late = Subscription(after=0)
        monkeypatch.setattr(late, "observe", views.append)  # what it is told, as it comes
        hub.join(session.id, late)
        go_on.set()
        assert await next_of(first) == SessionPaused()
        assert [view.state.recording_paused for view in views] == [True]
        hub.leave(session.id, late)


async def test_the_last_to_leave_closes_the_room(hub, session):
    async with subscribe(session.id):
        assert hub._rooms
    assert not hub._rooms


def test_ringing_neither_raises_nor_waits_when_the_channel_layer_is_down(settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }
    try:
        began = time.perf_counter()
        for _ in range(2000):
            ring("sess_nobody")
        assert time.perf_counter() - began < 2
    finally:
        bells._postman = None
