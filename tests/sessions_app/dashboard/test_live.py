"""The live view's socket: messages, permission, and closing when permission is lost."""

import pyotp
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from kallglot_site import executors
from kallglot_site.accounts import two_factor
from kallglot_site.accounts.dashboard import sockets
from kallglot_site.accounts.dashboard.sockets import StaffSocket
from kallglot_site.accounts.models import Organization
from kallglot_site.asgi import application
from sessions_app import runtime
from sessions_app.dashboard.consumers import SessionConsumer
from sessions_app.live_events import PartialTranscript
from sessions_app.models import Session
from sessions_app.services import session_end
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from tests.fakes.executors import full_executor
from tests.fakes.pages import PageSocket

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = "http://testserver"


def cookie_of(user) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def socket(session_id: str, cookie: str = "", after: int = 0, origin: str | None = ORIGIN):
    headers = [(b"host", b"testserver")]
    if cookie:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    path = f"/dashboard/sessions/{session_id}/live?after={after}"
    return PageSocket(application, path, headers=headers)


async def heard(communicator, kind):
    """The next message of that type."""
    while True:
        message = await communicator.receive_json_from()
        if message["type"] == kind:
            return message


async def close_code(communicator):
    while True:
        output = await communicator.receive_output()
        if output["type"] == "websocket.close":
            return output["code"]


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory.create(organization=cast.organization, status="active")


def say(session: Session, sequence: int) -> None:
    SegmentFactory.create(session=session, sequence=sequence, text=f"line {sequence}")
    Session.objects.filter(pk=session.pk).update(segment_count=sequence)


async def test_a_page_is_told_to_reconnect_when_too_many_sockets_read_the_database(
    cast, session, monkeypatch
):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    with full_executor() as full:
        monkeypatch.setattr(executors, "STAFF_SOCKETS", full)
        page = socket(session.id, cookie)
        assert (await page.connect())[0]
        assert await close_code(page) == 1013


async def test_a_page_gets_segments_stored_since_it_was_rendered_and_new_ones(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    for sequence in (1, 2, 3):
        await sync_to_async(say)(session, sequence)
    page = socket(session.id, cookie, after=1)
    assert (await page.connect())[0]
    assert [(await heard(page, "segment"))["sequence"] for _ in range(2)] == [2, 3]
    await sync_to_async(say)(session, 4)
    runtime.live_session(session.id).look()
    assert (await heard(page, "segment"))["text"] == "line 4"
    await page.disconnect()


async def test_a_reconnected_page_misses_no_segment_and_gets_none_twice(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    first = socket(session.id, cookie)
    await first.connect()
    await sync_to_async(say)(session, 1)
    runtime.live_session(session.id).look()
    latest = (await heard(first, "segment"))["sequence"]
    await first.disconnect()
    for sequence in (2, 3):
        await sync_to_async(say)(session, sequence)
    second = socket(session.id, cookie, after=latest)
    await second.connect()
    assert [(await heard(second, "segment"))["sequence"] for _ in range(2)] == [2, 3]
    await second.disconnect()


async def test_partials_are_sent_to_the_page(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    page = socket(session.id, cookie)
    await page.connect()
    await heard(page, "state")
    partial = PartialTranscript("seg_x", "customer", "es", "Perfecto, me puede", 4.0)
    runtime.live_session(session.id).publish(partial)
    assert (await heard(page, "partial"))["text"] == "Perfecto, me puede"
    await page.disconnect()


async def test_the_socket_closes_once_the_transcript_is_complete(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    page = socket(session.id, cookie)
    await page.connect()
    await heard(page, "state")
    await sync_to_async(session_end)(session=session)
    await sync_to_async(Session.objects.filter(pk=session.pk).update)(transcript_status="complete")
    runtime.live_session(session.id).look()
    assert await close_code(page) == 1000


@pytest.mark.parametrize(
    "origin", [None, "", "null", "https://evil.example", "http://testserver:81"]
)
async def test_a_page_of_another_origin_is_refused_first(cast, session, origin):
    cookie = await sync_to_async(cookie_of)(cast.teammate)
    connected, _ = await socket(session.id, cookie, origin=origin).connect()
    assert not connected


async def test_a_page_without_a_signed_in_user_is_refused(cast, session):
    for cookie in ("", "guess", "\x00"):
        page = socket(session.id, cookie)
        await page.connect()
        assert await close_code(page) == 4401


async def test_an_outsider_gets_the_close_code_of_a_missing_session(cast, session):
    cookie = await sync_to_async(cookie_of)(cast.outsider)
    for session_id in (session.id, "sess_01KD3M00000000000000000000", "x"):
        page = socket(session_id, cookie)
        await page.connect()
        assert await close_code(page) == 4404


@pytest.mark.parametrize("loss", ["signs out", "leaves", "is closed", "changes the password"])
async def test_a_user_that_loses_the_permission_is_disconnected(cast, session, monkeypatch, loss):
    monkeypatch.setattr(StaffSocket, "recheck_every", 0.02)
    client = Client()
    await sync_to_async(client.force_login)(cast.teammate)
    page = socket(session.id, client.cookies[settings.SESSION_COOKIE_NAME].value)
    await page.connect()
    await heard(page, "state")
    assert await page.receive_nothing(timeout=0.1)  # several rechecks pass without effect

    def lose() -> None:
        user = cast.teammate
        if loss == "signs out":
            client.logout()
        elif loss == "leaves":
            user.memberships.all().delete()
        elif loss == "is closed":
            user.is_active = False
            user.save()
        else:
            user.set_password("another")
            user.save()

    await sync_to_async(lose)()
    assert await close_code(page) == (4404 if loss == "leaves" else 4401)


async def test_the_socket_closes_when_the_permission_cannot_be_checked(cast, session, monkeypatch):
    monkeypatch.setattr(StaffSocket, "recheck_every", 0.02)
    page = socket(session.id, await sync_to_async(cookie_of)(cast.teammate))
    await page.connect()
    await heard(page, "state")

    def away(scope: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(sockets, "user_of", away)
    assert await close_code(page) == 1011  # after this code the page reconnects


async def test_a_page_that_cannot_be_served_is_told_to_reconnect(cast, session, monkeypatch):
    async def away(self: SessionConsumer) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(SessionConsumer, "_hello", away)
    page = socket(session.id, await sync_to_async(cookie_of)(cast.teammate))
    await page.connect()
    assert await close_code(page) == 1011


async def test_a_password_without_the_second_factor_opens_no_socket(cast, session):
    secret = two_factor.secret_new()

    def half_way() -> str:
        code = pyotp.TOTP(secret).now()
        two_factor.two_factor_enable(user=cast.teammate, secret=secret, code=code)
        client = Client()
        client.post("/login", {"username": cast.teammate.email, "password": "password"})
        assert client.get("/login/code").status_code == 200
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    page = socket(session.id, await sync_to_async(half_way)())
    await page.connect()
    assert await close_code(page) == 4401


async def test_an_organization_that_requires_two_factor_refuses_users_without_it(
    cast, session, monkeypatch
):
    monkeypatch.setattr(StaffSocket, "recheck_every", 0.02)
    page = socket(session.id, await sync_to_async(cookie_of)(cast.teammate))
    await page.connect()
    await heard(page, "state")
    organizations = Organization.objects.filter(pk=cast.organization.pk)
    await sync_to_async(organizations.update)(requires_two_factor=True)
    assert await close_code(page) == 4403


async def test_a_suspended_organizations_calls_may_still_be_watched(cast, session):
    organizations = Organization.objects.filter(pk=cast.organization.pk)
    await sync_to_async(organizations.update)(suspended_at=timezone.now())
    page = socket(session.id, await sync_to_async(cookie_of)(cast.teammate))
    await page.connect()
    await heard(page, "state")
    await page.disconnect()
