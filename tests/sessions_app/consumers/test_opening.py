"""Pauses, cancellation and concurrent claims while a track is being claimed."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async

from sessions_app.models import Track
from sessions_app.services import claims
from sessions_app.services.sessions import recording_pause_set
from sessions_app.streaming.live import gateway as gateways
from sessions_app.streaming.live import track as live_tracks
from sessions_app.streaming.live.gateway import Gateway
from tests.fakes.audio import silence
from tests.fakes.sockets import TIMEOUT, StreamClient

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


class HeldUp:
    """Claims wait for ``go_on`` while this is ``on``: before they are made, or when they are."""

    def __init__(self, claim: Callable[..., Any], *, before: bool) -> None:
        self._claim = claim
        self._before = before
        self._reached = threading.Event()
        self._gate = threading.Event()
        self.on = True

    def __call__(self, **arguments: Any) -> Any:
        if not self.on:
            return self._claim(**arguments)
        if self._before:
            self._wait()
            return self._claim(**arguments)
        claimed = self._claim(**arguments)
        self._wait()
        return claimed

    def _wait(self) -> None:
        self._reached.set()
        self._gate.wait(TIMEOUT)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, TIMEOUT)
        self.on = False  # for the next claim

    def go_on(self) -> None:
        self._gate.set()


@pytest.fixture
def hold_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., HeldUp]:
    def hold_up(*, before: bool) -> HeldUp:
        held = HeldUp(claims.track_claim, before=before)
        monkeypatch.setattr(live_tracks, "track_claim", held)
        return held

    return hold_up


async def begun(gateway: Gateway, session_id: str) -> None:
    for track in gateway.session(session_id).tracks:
        await track.begun()


async def test_a_connection_cancelled_while_claiming_releases_its_claim(gateway, session, hold_up):
    claiming = hold_up(before=False)
    client = StreamClient(session)
    async with client:
        await claiming.reached()
        assert client._task is not None
        client._task.cancel()  # as a server does with a connection that closes too slowly
        claiming.go_on()
    await gateway.drain()
    track = await in_db(Track.objects.get)(session=session)
    await in_db(session.refresh_from_db)()
    assert (track.owner, session.provider_status) == ("", "disconnected")


async def test_a_pause_resumed_while_a_track_opens_does_not_pause_that_track(
    gateway, session, tapes, hold_up
):
    async with StreamClient(session) as customer:
        await customer.next("session.ready")
        claiming = hold_up(before=True)
        async with StreamClient(session, speaker="agent") as agent:
            await claiming.reached()
            for action, answer in (("pause", "paused"), ("resume", "resumed")):
                customer.send(type="session.control", action=f"{action}_recording")
                await customer.next(f"session.{answer}")
            claiming.go_on()
            await agent.next("session.ready")
            agent.send_audio(silence(0.5))
            await agent.ping()
            await begun(gateway, session.id)
    (tape,) = [tape for tape in tapes if tape.context.speaker == "agent"]
    assert tape.seconds == pytest.approx(0.5)


async def test_a_pause_set_by_another_server_right_after_a_claim_also_pauses_a_second_speaker(
    gateway, session, hold_up, monkeypatch
):
    monkeypatch.setattr(gateways, "POLL", 3600.0)  # only a read after the claim can find the pause
    async with StreamClient(session) as client:
        client.send_audio(silence(0.1))
        await client.ping()
        await begun(gateway, session.id)  # so that the second speaker's start notifies nobody
        claiming = hold_up(before=False)
        client.send_audio(silence(0.1), speaker="agent")
        await claiming.reached()
        await in_db(recording_pause_set)(session_id=session.id, paused=True)
        await gateway.session(session.id).refresh()
        acknowledging = gateway.session(session.id).pause._background
        await asyncio.gather(*acknowledging)  # the first speaker's pause is noted
        await gateway.session(session.id).refresh()  # every notification has been handled
        claiming.go_on()
        await client.next("session.paused")


async def test_the_later_of_two_concurrent_claims_becomes_the_speaking_track(
    gateway, session, hold_up
):
    claiming = hold_up(before=False)
    async with StreamClient(session) as first:
        await claiming.reached()
        async with StreamClient(session) as second:
            await second.next("session.ready")
            claiming.go_on()
            assert await first.closed() == 4410
            speaking = gateway.session(session.id).speaking("customer")
            assert speaking is not None
            assert speaking.claim is not None
            assert speaking.claim.generation == 2
            await second.ping()
