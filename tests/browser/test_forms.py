"""The dashboard's forms with real clicks: API keys, webhook endpoints, erasing a session."""

import re

from playwright.sync_api import expect

from kallglot_site.accounts.models import ApiKey
from kallglot_site.accounts.services import api_key_hash
from sessions_app.models import Session
from tests.browser.conftest import in_both_browsers
from tests.factories import SegmentFactory, SessionFactory

pytestmark = in_both_browsers


def test_a_key_is_created_shown_once_and_revoked(owner_window, cast):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("CRM import")
    page.get_by_label("webhooks:write").uncheck()
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").input_value()
    key = ApiKey.objects.get(secret_hash=api_key_hash(secret))
    assert "webhooks:write" not in key.scopes
    page.goto(f"{window.address}/dashboard/keys")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke CRM import").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("was revoked")).to_be_visible()
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_an_admin_adds_a_webhook_endpoint_and_a_reviewer_cannot(
    owner_window, new_window, cast, settings
):
    settings.WEBHOOK_ALLOW_PRIVATE = True  # skips the name lookup
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/webhooks")
    page.get_by_role("button", name="New endpoint").click()
    page.get_by_label("URL").fill("http://127.0.0.1:9/hooks")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.locator(".secret input")).to_have_value(re.compile("^whsec_"))
    other = new_window()
    other.sign_in_as(cast.teammate)
    theirs = other.page()
    response = theirs.goto(f"{other.address}/dashboard/webhooks")
    assert response is not None
    assert response.status == 403
    other.faults.clear()  # the browser logs the expected 403


def test_an_admin_erases_a_session_after_confirming(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(
        organization=cast.organization, status="ended", transcript_status="complete"
    )
    SegmentFactory.create(session=session)
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    page.wait_for_url("**/dashboard/sessions")
    expect(page.locator(".toast")).to_contain_text("The session was erased")
    assert not Session.objects.filter(pk=session.pk).exists()
