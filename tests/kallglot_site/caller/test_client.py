"""What the caller does when connections break, servers restart and certificates are not trusted."""

from pathlib import Path
from typing import Any

import pytest

from kallglot_site.caller import client, connection, rest
from kallglot_site.caller.client import Caller, CallPlan
from kallglot_site.caller.errors import CallFailed
from tests.fakes.certificates import certificate_make
from tests.kallglot_site.caller.scripted_server import Drop, ScriptedServer, served

# Long enough that the caller notices a lost connection before it has sent everything.
FRAMES = [bytes(800)] * 60
BOTH = {"agent": FRAMES, "customer": FRAMES}


async def played(
    server: ScriptedServer, parties: dict[str, list[bytes]] | None = None, **options: Any
) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    caller = Caller(server.url, "sk_test_key", messages.append, **options)
    await caller.play(CallPlan(parties or {"customer": FRAMES}, speed=20))
    return messages


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 1013, 4408])
async def test_a_lost_connection_is_opened_again_with_a_fresh_token(code):
    server = ScriptedServer({"customer": [Drop(code, frames=3)]})
    async with served(server):
        messages = await played(server)
    assert server.end_reason == "completed"
    assert server.tokens == ["kst_test_1", "kst_test_2"]
    (lost,) = [message for message in messages if message["type"] == "stream.reconnecting"]
    assert lost["speaker"] == "customer"


async def test_playing_goes_on_where_it_stopped_for_both_parties():
    server = ScriptedServer({"agent": [Drop(1001, frames=2)], "customer": [Drop(1001, frames=4)]})
    async with served(server):
        await played(server, BOTH)
    for speaker in ("agent", "customer"):
        assert server.frames[speaker] == sorted(set(server.frames[speaker]))
        assert server.frames[speaker][-1] == len(FRAMES) - 1


async def test_the_parties_of_a_translated_call_stay_until_they_have_heard_everything(monkeypatch):
    monkeypatch.setattr(client, "_QUIET", 0.2)
    short = {"agent": FRAMES[:20], "customer": FRAMES[:5]}
    for mode, stays in (("bidirectional_translation", True), ("transcription", False)):
        server = ScriptedServer()
        plan = CallPlan(short, mode=mode, speed=20)
        async with served(server):
            await Caller(server.url, "sk_test_key", lambda message: None).play(plan)
        for speaker, frames in short.items():
            sent = server.frames[speaker]
            assert sent == list(range(len(sent)))  # none is missing between
            assert (len(sent) > 20) if stays else (len(sent) == len(frames))


async def test_after_a_reconnect_only_new_finals_are_asked_for():
    server = ScriptedServer({"customer": [Drop(1001, frames=3)]})
    async with served(server):
        messages = await played(server)
    assert [m["id"] for m in messages if m["type"] == "transcript.final"] == ["seg_0"]


async def test_a_refused_upgrade_is_tried_again_while_the_server_is_busy():
    server = ScriptedServer({"customer": [Drop(0, status=503), Drop(0, status=503)]})
    async with served(server):
        await played(server)
    assert server.end_reason == "completed"


async def test_one_outage_is_reported_once_however_often_connecting_is_refused():
    refusals = [Drop(1001, error="This server is stopping.")] * 3
    server = ScriptedServer({"customer": [Drop(1001, frames=3), *refusals]})
    async with served(server):
        messages = await played(server)
    kinds = [message["type"] for message in messages]
    assert kinds.count("stream.reconnecting") == 1
    assert "session.error" not in kinds


async def test_a_refusal_that_ends_the_call_says_why():
    server = ScriptedServer({"customer": [Drop(4401, error="The key was revoked.")]})
    async with served(server):
        with pytest.raises(CallFailed, match=r"4401\)\. The key was revoked\."):
            await played(server)


async def test_requests_are_repeated_while_the_server_restarts():
    server = ScriptedServer({"customer": [Drop(1001, frames=3)]}, rest_failures=[502, 503])
    async with served(server):
        await played(server)
    assert server.end_reason == "completed"


@pytest.mark.parametrize("code", [4400, 4401, 4404, 4410, 4413, 4429])
async def test_a_code_that_reconnecting_does_not_cure_ends_the_call_in_a_sentence(code, caplog):
    server = ScriptedServer({speaker: [Drop(code, frames=1)] for speaker in BOTH})
    async with served(server):
        with pytest.raises(CallFailed, match=rf"ended early: .* \(close code {code}\)"):
            await played(server, BOTH)
    assert server.end_reason == "error"
    assert "never retrieved" not in caplog.text


async def test_a_server_that_does_not_come_back_fails_the_call(monkeypatch):
    monkeypatch.setattr(connection, "RETRY_FOR", 0.5)
    monkeypatch.setattr(rest, "RETRY_FOR", 0.5)
    server = ScriptedServer({"customer": [Drop(1001, frames=1), *[Drop(0, status=503)] * 100]})
    async with served(server):
        with pytest.raises(CallFailed, match="stream was lost"):
            await played(server)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for localhost that no authority has signed."""
    return certificate_make(tmp_path)


async def test_an_untrusted_certificate_is_named_and_the_option_that_trusts_it(certificate):
    server = ScriptedServer()
    async with served(server, certificate):
        with pytest.raises(CallFailed, match=r"certificate of .* is not trusted.*--cacert FILE"):
            await played(server)


async def test_cacert_is_trusted_for_rest_and_stream(certificate):
    server = ScriptedServer()
    async with served(server, certificate):
        await played(server, cacert=certificate)
    assert server.end_reason == "completed"


async def test_ssl_cert_file_is_trusted_too(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = ScriptedServer()
    async with served(server, certificate):
        await played(server)
    assert server.end_reason == "completed"


def test_a_missing_cacert_file_is_named(tmp_path):
    with pytest.raises(CallFailed, match=r"--cacert .*none\.pem cannot be read"):
        Caller("https://localhost", "sk_test_key", print, cacert=tmp_path / "none.pem")
