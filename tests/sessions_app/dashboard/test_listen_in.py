"""Listening in on a running call: audio, permissions and the audit log."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from django.utils import timezone

from kallglot_site.accounts.dashboard.sockets import StaffSocket
from kallglot_site.accounts.members import audit_record
from kallglot_site.accounts.models import AuditEntry, Membership, Organization
from kallglot_site.asgi import application
from sessions_app import runtime
from sessions_app.dashboard import listen_in
from sessions_app.media import Samples
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.services.sessions import recording_pause_set
from sessions_app.streaming.live.gateway import Gateway
from sessions_app.streaming.telling import monitors
from tests.conftest import Cast
from tests.factories import SessionFactory
from tests.fakes.audio import speech
from tests.fakes.engines import FakeTranscriber
from tests.fakes.pages import PageSocket
from tests.fakes.sockets import TIMEOUT, StreamClient
from tests.sessions_app.dashboard.test_live import ORIGIN, close_code, cookie_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory.create(organization=cast.organization)


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(runtime, "_runtime", None)  # and again after the test
    gateway = runtime.use(FakeTranscriber(default="Hello there."))
    yield gateway
    await gateway.drain()
    await gateway.close()


class Page(PageSocket):
    """The page's side of the socket. It keeps the audio of each party."""

    def __init__(self, session_id: str, cookie: str = "", origin: str = ORIGIN) -> None:
        name = settings.SESSION_COOKIE_NAME
        headers = [
            (b"host", b"testserver"),
            (b"origin", origin.encode()),
            (b"cookie", f"{name}={cookie}".encode()),
        ]
        path = f"/dashboard/sessions/{session_id}/listen"
        super().__init__(application, path, headers=headers)
        self.heard: dict[int, list[Samples]] = {0: [], 1: []}

    async def state(self, **wanted: object) -> dict[str, object]:
        """The next state, or the next one that matches ``wanted``."""
        while True:
            output = await self.receive_output()
            if output.get("text"):
                message: dict[str, object] = json.loads(output["text"])
                if message["type"] == "state" and wanted.items() <= message.items():
                    return message
            elif output.get("bytes"):
                self._keep(output["bytes"])

    async def audio(self, party: int, seconds: float) -> Samples:
        """The first ``seconds`` of a party's audio since the page was opened."""
        while sum(map(len, self.heard[party])) < seconds * listen_in.SAMPLE_RATE:
            output = await self.receive_output()
            if output.get("bytes"):
                self._keep(output["bytes"])
        return np.concatenate(self.heard[party])

    def _keep(self, data: bytes) -> None:
        self.heard[data[0]].append(np.frombuffer(data[2:], dtype="<i2"))


async def listening(user, session) -> Page:
    """A connected page that has received the call's state."""
    page = Page(session.id, await sync_to_async(cookie_of)(user))
    assert (await page.connect())[0]
    await page.state()
    return page


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


async def entries(action: str, count: int = 1) -> list[AuditEntry]:
    """The log's entries, once there are ``count`` of them."""

    def read() -> list[AuditEntry]:
        return list(AuditEntry.objects.filter(action=action).select_related("actor"))

    async with asyncio.timeout(TIMEOUT):
        while len(found := await sync_to_async(read)()) < count:  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.01)  # the socket writes it after it has closed
    return found


# --- audio ----------------------------------------------------------------------------------------


async def test_a_page_receives_the_audio_of_each_party_separately(gateway, cast, session):
    async with StreamClient(session, speaker="agent") as agent, StreamClient(session) as customer:
        await agent.next("session.ready")
        await customer.next("session.ready")
        page = await listening(cast.owner, session)
        # One after the other: of more than two seconds waiting, the oldest give way. Resampling
        # keeps a few milliseconds back.
        agent.send_audio(speech(1.0, level=8000))
        left = await page.audio(0, 0.9)
        customer.send_audio(speech(1.0, level=2000))
        right = await page.audio(1, 0.9)
        assert loudness(left) == pytest.approx(4 * loudness(right), rel=0.1)
        assert loudness(right) > 300
        await page.disconnect()


async def test_a_party_that_reconnects_is_heard_again(gateway, cast, session):
    page = await listening(cast.owner, session)
    for second in (1, 2):
        async with StreamClient(session, clock="media") as customer:
            await customer.next("session.ready")
            customer._sent = 8000 * second
            customer.send_audio(speech(1.0))
            await page.audio(1, 0.9 * second)
    await page.disconnect()


async def test_no_audio_is_sent_while_the_recording_is_paused(gateway, cast, session):
    async with StreamClient(session) as customer:
        page = await listening(cast.owner, session)
        customer.send_audio(speech(0.5))
        before = len(await page.audio(1, 0.4))
        customer.send(type="session.control", action="pause_recording")
        customer.send_audio(speech(2.0))
        await page.state(paused=True)
        await customer.next("session.paused")
        customer.send(type="session.control", action="resume_recording")
        await page.state(paused=False)
        await customer.next("session.resumed")
        customer.send_audio(speech(0.5))
        heard = await page.audio(1, before / listen_in.SAMPLE_RATE + 0.4)
        assert len(heard) / listen_in.SAMPLE_RATE < 1.1
        await page.disconnect()


async def test_a_page_opened_during_a_pause_gets_no_audio_and_is_told_of_the_pause(
    gateway, cast, session
):
    await sync_to_async(recording_pause_set)(session_id=session.id, paused=True)
    page = Page(session.id, await sync_to_async(cookie_of)(cast.owner))
    await page.connect()
    assert (await page.state())["paused"] is True
    async with StreamClient(session) as customer:
        customer.send_audio(speech(0.5))
        await page.state(status="active", paused=True)
        assert await page.receive_nothing(timeout=0.2)
    await page.disconnect()


async def test_a_muted_party_is_not_heard(gateway, cast, session):
    async with StreamClient(session) as customer:
        page = await listening(cast.owner, session)
        customer.send(type="session.control", action="mute")
        customer.send_audio(speech(2.0))
        customer.send(type="session.control", action="unmute")
        customer.send_audio(speech(0.5))
        heard = await page.audio(1, 0.4)
        assert len(heard) / listen_in.SAMPLE_RATE < 0.6
        await page.disconnect()


async def test_a_call_without_recording_can_be_listened_to_and_is_not_stored(
    gateway, cast, session, settings
):
    assert not session.recording_enabled
    async with StreamClient(session) as customer:
        page = await listening(cast.owner, session)
        customer.send_audio(speech(0.5))
        await page.audio(1, 0.4)
        await page.disconnect()
    assert not (settings.DATA_DIR / "spool" / session.id).exists()


async def test_a_track_has_no_monitor_tap_after_the_last_listener_left(gateway, cast, session):
    async with StreamClient(session) as customer:
        customer.send_audio(speech(0.2))
        await customer.ping()
        (track,) = gateway.session(session.id).tracks
        await track.begun()
        taps = track._pipeline._taps
        page = await listening(cast.owner, session)
        assert len(track._pipeline._taps) == len(taps) + 1
        await page.disconnect()
        assert track._pipeline._taps == taps


async def test_the_end_of_the_call_ends_listening_in(gateway, cast, session):
    page = await listening(cast.owner, session)
    await sync_to_async(session_end)(session=session)
    runtime.live_session(session.id).look()
    assert (await page.state())["status"] == "ended"
    assert await close_code(page) == 1000


async def test_a_stopping_server_closes_the_page_and_waits_for_the_audit_log(
    gateway, cast, session
):
    page = await listening(cast.owner, session)
    await gateway.drain()
    assert await AuditEntry.objects.filter(action="listen_in.stopped").aexists()
    assert await close_code(page) == 1001


# --- permission -----------------------------------------------------------------------------------


async def test_a_page_of_another_origin_is_refused_first(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.owner)
    for origin in ("", "null", "https://evil.example", "http://testserver:81"):
        connected, _ = await Page(session.id, cookie, origin).connect()
        assert not connected
    assert not await AuditEntry.objects.aexists()


async def test_an_outsider_gets_the_same_answer_as_for_a_missing_session(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.outsider)
    for session_id in (session.id, "sess_01KD3M00000000000000000000", "x"):
        page = Page(session_id, cookie)
        await page.connect()
        assert await close_code(page) == 4404


@pytest.mark.parametrize(
    ("allowed", "admin", "reviewer"),
    [
        ("nobody", False, False),
        ("admins", True, False),
        ("members", True, True),
    ],
)
async def test_the_organization_decides_which_roles_may_listen_in(
    cast, session, allowed, admin, reviewer
):
    await Organization.objects.filter(pk=cast.organization.pk).aupdate(listen_in=allowed)
    for user, may in ((cast.owner, admin), (cast.teammate, reviewer)):
        page = Page(session.id, await sync_to_async(cookie_of)(user))
        await page.connect()
        if may:
            assert (await page.state())["status"] == "created"
            await page.disconnect()
        else:
            assert await close_code(page) == 4403
    assert await AuditEntry.objects.filter(action="listen_in.started").acount() == admin + reviewer


@pytest.mark.parametrize(
    "loss",
    [
        "signs out",
        "leaves",
        "is demoted",
        "organization forbids it",
        "organization is suspended",
        "needs a second factor",
    ],
)
async def test_a_listener_that_loses_the_permission_is_disconnected(
    cast, session, monkeypatch, loss
):
    monkeypatch.setattr(StaffSocket, "recheck_every", 0.02)
    client = Client()
    await sync_to_async(client.force_login)(cast.owner)
    page = Page(session.id, client.cookies[settings.SESSION_COOKIE_NAME].value)
    await page.connect()
    await page.state()
    assert await page.receive_nothing(timeout=0.1)  # several rechecks pass without effect
    member = Membership.objects.filter(user=cast.owner)
    code = 4403
    if loss == "signs out":
        await sync_to_async(client.logout)()
        code = 4401
    elif loss == "leaves":
        await member.adelete()
        code = 4404
    elif loss == "is demoted":
        await member.aupdate(role=Membership.Role.REVIEWER)
    else:
        changes: dict[str, dict[str, object]] = {
            "organization forbids it": {"listen_in": "nobody"},
            "organization is suspended": {"suspended_at": timezone.now()},
            "needs a second factor": {"requires_two_factor": True},
        }
        change = changes[loss]
        await Organization.objects.filter(pk=cast.organization.pk).aupdate(**change)
    assert await close_code(page) == code
    await entries("listen_in.stopped")
    await page.disconnect()
    assert runtime.monitors().is_empty


async def test_a_process_with_too_many_listeners_asks_to_reconnect_later(
    cast, session, monkeypatch
):
    monkeypatch.setattr(monitors, "MAX_MONITORS", 0)
    page = Page(session.id, await sync_to_async(cookie_of)(cast.owner))
    await page.connect()
    assert await close_code(page) == 1013


async def test_the_limit_of_listeners_holds_while_audit_entries_are_being_written(
    cast, session, monkeypatch
):
    monkeypatch.setattr(monitors, "MAX_MONITORS", 1)
    writing, go_on = threading.Event(), threading.Event()

    def slowly(**values: Any) -> None:
        writing.set()
        go_on.wait(TIMEOUT)
        audit_record(**values)

    monkeypatch.setattr(listen_in, "audit_record", slowly)
    cookie = await sync_to_async(cookie_of)(cast.owner)
    first, second = Page(session.id, cookie), Page(session.id, cookie)
    await first.connect()
    assert await asyncio.to_thread(writing.wait, TIMEOUT)
    await second.connect()
    assert await close_code(second) == 1013
    go_on.set()
    await first.state()
    await first.disconnect()


# --- the audit log --------------------------------------------------------------------------------


async def test_the_audit_log_records_listener_session_start_and_end(cast, session):
    page = await listening(cast.owner, session)
    (started,) = await entries("listen_in.started")
    assert (started.actor, started.target) == (cast.owner, session.id)
    assert (started.organization_id, started.environment) == (cast.organization.pk, "live")
    assert not await AuditEntry.objects.filter(action="listen_in.stopped").aexists()
    await page.disconnect()
    (stopped,) = await entries("listen_in.stopped")
    assert (stopped.actor, stopped.target) == (cast.owner, session.id)
    assert re.fullmatch(r"after \d+\.\d s", stopped.detail)
    assert stopped.created_at >= started.created_at


async def test_listening_in_fails_when_the_audit_log_cannot_be_written(cast, session, monkeypatch):
    def fail(**values: object) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(listen_in, "audit_record", fail)
    page = Page(session.id, await sync_to_async(cookie_of)(cast.owner))
    await page.connect()
    assert await close_code(page) == 1011
    assert page.heard == {0: [], 1: []}


async def test_listening_in_on_an_ended_call_is_refused(cast, session):
    await sync_to_async(session_end)(session=session)
    page = await listening(cast.owner, session)
    assert await close_code(page) == 1000
    assert not await AuditEntry.objects.filter(action__startswith="listen_in").aexists()


@pytest.mark.parametrize("text", ["x", "-5", "9" * 100, "1.5", "{}"])
async def test_messages_from_a_page_that_are_not_numbers_are_ignored(cast, session, text):
    page = await listening(cast.owner, session)
    await page.send_to(text_data=text)
    await page.send_to(bytes_data=b"\0")
    assert await page.receive_nothing(timeout=0.05)
    await page.disconnect()
