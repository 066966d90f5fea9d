"""Opening a connection: refusals, tokens, capacity."""

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey
from kallglot_site.accounts.services import api_key_revoke
from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.api.ids import new_id
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.fakes.engines import FakeTranscriber
from tests.fakes.sockets import StreamClient

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


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
        "sequence": 0,
        "recording_paused": False,
        "muted": False,
        "transcription_paused": False,
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
        ({"token": "", "speaker": "customer"}, 4401),
        ({"speaker": "robot"}, 4400),
        ({"clock": "sundial"}, 4400),
        ({"since": "-1"}, 4400),
        ({"since": "latest"}, 4400),
        ({"since": "9" * 30}, 4400),
    ],
)
async def test_a_refused_connection_is_accepted_first_and_told_the_reason(
    gateway, session, query, code
):
    async with StreamClient(session, **query) as client:
        assert await client.closed() == code
    assert [message["type"] for message in client.heard] == ["session.error"]


async def test_every_refusal_links_to_its_entry_on_the_error_page(gateway, session, settings):
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


async def test_errors_carry_the_request_id_of_the_handshake(gateway, session):
    async with StreamClient(session) as client, StreamClient(session, speaker="robot") as refused:
        client.send_text("nonsense")
        ids = set()
        for each in (client, refused):
            error = (await each.next("session.error"))["error"]
            assert error["request_id"] == each.accepted[b"x-request-id"].decode()
            ids.add(error["request_id"])
    assert len(ids) == 2


async def test_calls_of_a_suspended_organization_are_refused_as_over_rest(gateway, session):
    session.organization.suspended_at = timezone.now()
    await in_db(session.organization.save)()
    async with StreamClient(session) as client:
        error = (await client.next("session.error"))["error"]
        assert await client.closed() == 4401
    assert (error["type"], error["code"]) == ("authorization_error", "organization_suspended")


async def test_unusable_tokens_close_the_connection_with_a_code_per_reason(gateway, session, cast):
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


async def test_a_full_server_refuses_connections_with_try_again_later(gateway, session, settings):
    settings.MAX_STREAMS = 1
    async with StreamClient(session) as first, StreamClient(session, speaker="agent") as second:
        await first.next("session.ready")
        assert await second.closed() == 1013


async def test_an_overloaded_server_refuses_new_speakers_but_accepts_listeners(
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
