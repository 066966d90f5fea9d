"""Followers of a live session get stored segments once and in order, and events of speech."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from sessions_app import notifications
from sessions_app.live_events import FinalTranscript, PartialTranscript, SpeechStarted
from sessions_app.models import Session
from sessions_app.notifications import notify
from sessions_app.session_view import session_view
from sessions_app.streaming.live import gateway as gateways
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.live.session import LiveSession
from sessions_app.streaming.telling import fanout
from tests.factories import SegmentFactory, SessionFactory
from tests.fakes.followers import Recorder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session() -> Session:
    return SessionFactory()


@contextmanager
def following(
    gateway: Gateway, session_id: str, *, after: int | None = None
) -> Iterator[tuple[LiveSession, Recorder]]:
    live, follower = gateway.session(session_id), Recorder(after)
    live.follow(follower)
    live.look()
    try:
        yield live, follower
    finally:
        live.unfollow(follower)


def store(session: Session, sequence: int, text: str) -> None:
    SegmentFactory(session=session, sequence=sequence, text=text)
    change(session, segment_count=sequence)


def change(session: Session, **columns: object) -> None:
    Session.objects.filter(id=session.id).update(**columns)
    notify(session.id)


async def test_stored_segments_arrive_in_order_and_once(gateway, session):
    with following(gateway, session.id, after=0) as (live, follower):
        for sequence, text in enumerate(("one", "two", "three"), 1):
            await sync_to_async(store)(session, sequence, text)
            notify(session.id)
        await follower.until(lambda told: len(told.texts) == 3)
        await live.refresh()
        assert follower.texts == ["one", "two", "three"]


async def test_a_late_follower_first_gets_the_segments_it_lacks(gateway, session):
    await sync_to_async(store)(session, 1, "known")
    await sync_to_async(store)(session, 2, "missed")
    with following(gateway, session.id, after=1) as (_, follower):
        await follower.until(lambda told: told.texts)
        assert follower.texts == ["missed"]


async def test_segments_beyond_the_limit_of_one_read_all_arrive(gateway, session, monkeypatch):
    monkeypatch.setattr("sessions_app.session_view.SEGMENTS_PER_LOOK", 2)
    monkeypatch.setattr(fanout, "SEGMENTS_PER_LOOK", 2)
    for sequence in range(1, 6):
        await sync_to_async(store)(session, sequence, str(sequence))
    with following(gateway, session.id, after=0) as (_, follower):
        await follower.until(lambda told: told.texts == list("12345"))


async def test_only_followers_with_all_segments_are_told_that_the_transcript_is_complete(
    gateway, session, monkeypatch
):
    # A follower that has much to catch up with makes each read stop before the end.
    monkeypatch.setattr("sessions_app.session_view.SEGMENTS_PER_LOOK", 2)
    monkeypatch.setattr(fanout, "SEGMENTS_PER_LOOK", 2)
    for sequence in range(1, 6):
        await sync_to_async(store)(session, sequence, str(sequence))
    with (
        following(gateway, session.id, after=4) as (_, at_the_end),
        following(gateway, session.id, after=0) as (_, late),
    ):
        await sync_to_async(change)(session, status="ended", transcript_status="complete")
        for follower, texts in ((at_the_end, "5"), (late, "12345")):
            await follower.until(lambda told: told.views and told.views[-1].is_told(told.seen))
            assert follower.texts == list(texts)


async def test_partials_and_speech_events_are_delivered_at_once(gateway, session):
    with following(gateway, session.id) as (live, follower):
        live.publish(SpeechStarted("agent", 1.0))
        assert follower.events == [SpeechStarted("agent", 1.0)]


async def test_a_partial_that_comes_after_its_final_is_dropped(gateway, session):
    with following(gateway, session.id, after=0) as (live, follower):
        await sync_to_async(store)(session, 1, "done")
        await follower.until(lambda told: told.texts)
        await live.refresh()
        (final,) = follower.events
        assert isinstance(final, FinalTranscript)
        live.publish(PartialTranscript(final.id, "customer", "en", "do", 0.0))
        live.publish(SpeechStarted("agent", 1.0))
        assert follower.events == [final, SpeechStarted("agent", 1.0)]


async def test_followers_are_told_that_the_session_ended(gateway, session):
    with following(gateway, session.id) as (_, follower):
        await sync_to_async(change)(session, status="ended", end_reason="completed", duration=2.5)
        await follower.until(lambda told: told.views and told.views[-1].state.ended)
        state = follower.views[-1].state
        assert (state.end_reason, state.duration) == ("completed", 2.5)


async def test_changes_without_a_notification_are_found_by_the_poll(gateway, session, monkeypatch):
    monkeypatch.setattr(gateways, "POLL", 0.05)
    with following(gateway, session.id) as (_, follower):
        await sync_to_async(Session.objects.filter(id=session.id).update)(status="ended")
        await follower.until(lambda told: told.views and told.views[-1].state.ended)


async def test_followers_are_told_that_a_session_was_erased(gateway, session):
    session_id = session.id
    with following(gateway, session_id) as (_, follower):
        await sync_to_async(session.delete)()
        notify(session_id)
        await follower.until(lambda told: None in told.views)


async def test_the_poll_repeats_a_failed_read(gateway, session, monkeypatch):
    monkeypatch.setattr(gateways, "POLL", 0.05)
    await sync_to_async(store)(session, 1, "missed")
    with following(gateway, session.id) as (live, _):
        await live.refresh()  # the poll finds nothing newer than what is known here
        reads = []

        def fail_once(session_id: str, *after: int | None) -> Any:
            reads.append(session_id)
            if len(reads) == 1:
                raise OperationalError("the database is away")
            return session_view(session_id, *after)

        monkeypatch.setattr(fanout, "session_view", fail_once)
        with following(gateway, session.id, after=0) as (_, late):
            await late.until(lambda told: told.texts == ["missed"])


async def test_a_follower_that_joins_during_a_read_is_told_only_what_was_read_afterwards(
    gateway, session, monkeypatch
):
    # A party claims its track and joins: what was read before knows nothing of that claim.
    reading, go_on = threading.Event(), threading.Event()

    def slowly(session_id: str, *after: int | None) -> Any:
        view = session_view(session_id, *after)
        reading.set()
        go_on.wait(10)
        return view

    monkeypatch.setattr(fanout, "session_view", slowly)
    with following(gateway, session.id) as (_, first):
        await asyncio.to_thread(reading.wait, 10)
        await sync_to_async(Session.objects.filter(id=session.id).update)(recording_paused=True)
        with following(gateway, session.id, after=0) as (_, late):
            go_on.set()
            await first.until(lambda told: told.views and told.views[-1].state.recording_paused)
            assert {view.state.recording_paused for view in late.views} == {True}


async def test_a_session_is_live_until_the_last_follower_has_left(gateway, session):
    with following(gateway, session.id) as (live, _):
        with following(gateway, session.id) as (same, _):
            assert same is live
        assert gateway.sessions == {session.id: live}
    assert gateway.sessions == {}


async def test_a_session_that_is_joined_again_is_read_again(gateway, session):
    with following(gateway, session.id, after=0):
        pass
    await sync_to_async(store)(session, 1, "later")
    with following(gateway, session.id, after=0) as (_, follower):
        await follower.until(lambda told: told.texts == ["later"])


async def test_a_closed_gateway_gets_no_notifications(gateway, session):
    with following(gateway, session.id) as (live, follower):
        await live.refresh()
        await gateway.close()
        told = len(follower.views)
        await sync_to_async(change)(session, status="ended")
        await live.refresh()
        assert len(follower.views) == told


def test_notifying_neither_raises_nor_waits_when_the_channel_layer_is_down(settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }
    try:
        began = time.perf_counter()
        for _ in range(2000):
            notify("sess_nobody")
        assert time.perf_counter() - began < 2
    finally:
        notifications._sender = None
