"""Calls in the browser: access for the page, and the customer's link."""

import pytest
from django.core import signing
from django.test import Client

from kallglot_site.accounts.models import AuditEntry
from sessions_app import capabilities
from sessions_app.dashboard import talk
from sessions_app.models import Session
from sessions_app.services import session_end
from sessions_app.streaming.wire.tokens import stream_token_verify
from tests.conftest import Cast
from tests.factories import SessionFactory

CALL = {"mode": "transcription", "record": "on"}


@pytest.fixture
def staff(client: Client, cast: Cast) -> Client:
    client.force_login(cast.teammate)
    return client


def path_of(url: str) -> str:
    return url.removeprefix("http://testserver")


def test_a_call_starts_with_a_token_for_the_agent_only(staff, cast):
    answer = staff.post("/dashboard/talk", CALL).json()
    session = Session.objects.get(pk=answer["session_id"])
    assert (session.provider_type, session.recording_enabled) == ("browser", True)
    assert answer["stream_url"] == f"ws://testserver/v1/sessions/{session.id}/connect"
    assert stream_token_verify(answer["token"], session.id).speakers == ("agent",)
    again = staff.post(answer["token_url"]).json()
    assert stream_token_verify(again["token"], session.id).speakers == ("agent",)
    assert AuditEntry.objects.get().action == "talk.started"


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "singing"},
        {"source_language": "klingon"},
        {"mode": "bidirectional_translation", "target_language": "vo"},
    ],
)
def test_an_invalid_call_is_refused_with_the_reason(staff, wrong):
    response = staff.post("/dashboard/talk", CALL | wrong)
    assert response.status_code == 422
    assert response.json()["problem"]
    assert not Session.objects.exists()


def test_only_modes_and_languages_that_can_be_served_are_offered(staff, monkeypatch):
    both_ways = frozenset({("es", "en"), ("en", "es")})
    for pairs, offered in ((both_ways, True), (frozenset(), False)):
        monkeypatch.setattr(capabilities, "translation_pairs", lambda pairs=pairs: pairs)
        page = staff.get("/dashboard/talk").text
        assert ('value="bidirectional_translation"' in page) is offered
        assert ('<optgroup label="Translated">' in page) is offered
        assert '<option value="transcription"' in page
        assert '<option value="de">German</option>' in page
        assert ("the server needs a translator" in page) is not offered


def test_a_language_with_a_region_may_be_requested(staff):
    answer = staff.post("/dashboard/talk", CALL | {"source_language": "es-MX"})
    assert Session.objects.get(pk=answer.json()["session_id"]).source_language == "es-MX"


def test_a_fresh_token_requires_a_running_browser_call_of_the_same_tenant(staff, cast):
    answer = staff.post("/dashboard/talk", CALL).json()
    over_the_api = SessionFactory.create(organization=cast.organization)
    assert staff.post(f"/dashboard/talk/{over_the_api.id}/token").status_code == 404
    outsider = Client()
    outsider.force_login(cast.outsider)
    assert outsider.post(answer["token_url"]).status_code == 404
    session_end(session=Session.objects.get(pk=answer["session_id"]))
    assert staff.post(answer["token_url"]).status_code == 410


def test_the_link_admits_the_customer_without_an_account_until_the_call_ends(staff):
    answer = staff.post("/dashboard/talk", CALL).json()
    link = path_of(answer["invitation"])
    visitor = Client()
    page = visitor.get(link)
    assert "The call is recorded." in page.text
    assert page.headers["Referrer-Policy"] == "strict-origin"
    way_in = visitor.post(link).json()
    assert stream_token_verify(way_in["token"], answer["session_id"]).speakers == ("customer",)
    assert "invitation" not in way_in
    session_end(session=Session.objects.get(pk=answer["session_id"]))
    assert visitor.get(link).status_code == 404
    assert visitor.post(link).status_code == 410


def test_forged_and_expired_links_are_refused(staff, monkeypatch):
    answer = staff.post("/dashboard/talk", CALL).json()
    link = path_of(answer["invitation"])
    session_id = answer["session_id"]
    for invitation in ("x", signing.dumps(session_id), link.removeprefix("/join/") + "x"):
        assert Client().get(f"/join/{invitation}").status_code == 404
        assert Client().post(f"/join/{invitation}").status_code == 410
    monkeypatch.setattr(talk, "INVITATION_SECONDS", -1)
    assert Client().get(link).status_code == 404


def test_a_call_needs_a_csrf_token(cast):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.teammate)
    assert strict.post("/dashboard/talk", CALL).status_code == 403
