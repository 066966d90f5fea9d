"""Searching, switching and moving through the dashboard with mouse and keyboard."""

import re

from django.utils import timezone
from playwright.sync_api import expect

from tests.factories import SegmentFactory, SessionFactory


def test_a_search_result_links_to_the_line_with_marked_hits(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(
        organization=cast.organization, status="ended", transcript_status="complete"
    )
    for number in range(1, 60):
        text = "Where is my refund, please?" if number == 50 else "Something else entirely."
        SegmentFactory.create(session=session, sequence=number, text=text)
    page.goto(f"{window.address}/dashboard/sessions")
    page.get_by_label("Search transcripts").fill("refund")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("Where is my refund")).click()
    expect(page.locator("mark")).to_have_text("refund")
    expect(page.locator("mark")).to_be_in_viewport()
    page.get_by_label("Search in this transcript").fill("ELSE")
    expect(page.locator("mark")).to_have_count(58)
    page.keyboard.press("Enter")
    expect(page.locator("#find-count")).to_have_text("2/58")


def test_the_chosen_theme_is_kept(owner_window):
    page = owner_window[1]

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.locator(".switcher summary").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    dark = background()
    assert dark != light
    page.reload()
    assert background() == dark


def test_the_environment_is_switched_and_the_page_says_so(owner_window, cast):
    page = owner_window[1]
    page.locator(".switcher summary").click()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Test environment.")).to_be_visible()


def test_a_session_is_reached_by_keyboard(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization)
    page.goto(f"{window.address}/dashboard/sessions")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if session.id in (page.evaluate("document.activeElement.href ?? ''")):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{session.id}")


def test_the_menu_opens_on_a_phone(new_window, cast):
    window = new_window(390)
    page = window.page()
    window.sign_in(page, cast.teammate.email)  # through the form
    expect(page.get_by_role("link", name="Sessions", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Sessions", exact=True).click()
    page.wait_for_url("**/dashboard/sessions")


def test_controls_of_a_suspended_organization_are_disabled_with_the_reason(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(
        organization=cast.organization,
        status="ended",
        transcript_status="complete",
        segment_count=1,
    )
    SegmentFactory.create(session=session)
    page.goto(f"{window.address}/dashboard/keys")
    stale = window.page()  # opened before the suspension
    stale.goto(f"{window.address}/dashboard/settings")
    cast.organization.suspended_at = timezone.now()
    cast.organization.save()
    page.reload()
    new = page.get_by_role("button", name="New key")
    expect(new).to_be_disabled()
    expect(new).to_have_attribute("title", re.compile("is suspended"))
    expect(page.get_by_role("button", name="Revoke live")).to_be_enabled()
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    expect(page.get_by_role("button", name="Erase")).to_be_disabled()
    expect(page.get_by_role("button", name="Analyze")).to_be_disabled()  # loaded by htmx
    stale.get_by_role("button", name="Save").click()
    expect(stale.get_by_role("heading", name="Acme Support is suspended")).to_be_visible()
    window.faults.clear()  # the browser logs the expected 403
