"""A whole call and its analysis, in two browsers, on a real installation.

The gateway, the worker and the clock run as separate processes. Nothing is mocked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.conftest import PHONE, WIDE, Window
from tests.browser.microphone import browser_with_microphone, speech_file
from tests.e2e.server import Server

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(600)]

AGENT = "Good morning, this is Green Valley. I will send you the tracking link tomorrow."
CUSTOMER = "Hello. I ordered a coffee machine last week, and it has not arrived yet."
LOADING = 90_000  # milliseconds: the first call loads the engine, on a busy machine


@dataclass
class Sides:
    """Two browsers, each with its own microphone."""

    staff: Window
    guest: Window


@pytest.fixture(scope="module")
def sides(
    playwright: Playwright,
    browser_path: str,
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sides]:
    folder = tmp_path_factory.mktemp("speech")
    agent = speech_file(folder / "agent.wav", AGENT)
    customer = speech_file(folder / "customer.wav", CUSTOMER, "customer")
    with (
        browser_with_microphone(playwright, browser_path, agent) as here,
        browser_with_microphone(playwright, browser_path, customer) as there,
    ):
        window = Sides(
            Window(here.new_context(viewport={"width": WIDE, "height": 900}), server.url),
            Window(there.new_context(viewport={"width": PHONE, "height": 844}), server.url),
        )
        yield window
        assert window.staff.faults == []
        assert window.guest.faults == []


@pytest.fixture(scope="module")
def session_page(sides: Sides, server: Server) -> Page:
    """The session's page after a call in which both parties saw the other's words."""
    staff = sides.staff.page()
    credentials = server.credentials
    sides.staff.sign_in(staff, credentials.staff_email, credentials.staff_password)
    staff.goto(f"{server.url}/dashboard/talk")
    staff.get_by_role("button", name="Start talking").click()
    link = staff.get_by_label("Link for the customer")
    expect(link).to_be_visible(timeout=LOADING)
    guest = sides.guest.page()
    guest.goto(link.input_value())
    expect(guest.get_by_text("The call is recorded.")).to_be_visible()
    guest.get_by_role("button", name="Join with the microphone").click()
    for page in (staff, guest):
        said_by_agent = page.locator(".seg.agent:not(.partial)")
        said_by_customer = page.locator(".seg.customer:not(.partial)")
        expect(said_by_agent.filter(has_text="tracking link")).to_be_visible(timeout=LOADING)
        expect(said_by_customer.filter(has_text="coffee machine")).to_be_visible(timeout=LOADING)
        expect(said_by_agent.filter(has_text="coffee")).to_have_count(0)
        expect(said_by_customer.filter(has_text="tracking")).to_have_count(0)
    staff.get_by_role("button", name="Hang up").click()
    expect(guest.get_by_text("The call has ended.")).to_be_visible(timeout=30_000)
    staff.get_by_role("link", name="Open the session").click(timeout=60_000)
    staff.wait_for_url("**/dashboard/sessions/sess_*")
    return staff


def test_both_parties_are_in_the_sessions_transcript(session_page: Page) -> None:
    lines = session_page.locator("#lines")
    expect(lines.locator(".seg.agent").filter(has_text="tracking link")).to_be_visible()
    expect(lines.locator(".seg.customer").filter(has_text="coffee machine")).to_be_visible()


def test_the_recording_appears_automatically_and_plays(session_page: Page) -> None:
    player = session_page.locator("recording-player")
    expect(player).to_be_visible(timeout=60_000)
    session_page.get_by_role("button", name="Play", exact=True).click()
    expect(player).to_have_attribute("playing", "")
    session_page.get_by_role("button", name="Pause", exact=True).click()


def test_a_requested_analysis_appears_without_a_reload(session_page: Page) -> None:
    page = session_page
    page.evaluate("document.body.dataset.since = 'before'")
    page.get_by_role("button", name="Analyze", exact=True).click(timeout=60_000)
    expect(page.locator("#analysis-summary")).to_be_visible(timeout=60_000)
    for panel in ("actions", "sentiment", "quality", "compliance"):
        expect(page.locator(f"#analysis-{panel}")).to_be_visible()
    expect(page.locator("#analysis-actions")).to_contain_text("tracking link")
    assert page.evaluate("document.body.dataset.since") == "before"


def test_another_analysis_replaces_the_first(session_page: Page) -> None:
    page = session_page
    page.locator("summary", has_text="Analyze again").click()
    for name in ("Sentiment", "Topics", "Summary", "Action items", "Compliance"):
        page.get_by_role("checkbox", name=name).uncheck()
    page.get_by_role("button", name="Analyze again").click()
    expect(page.locator("#analysis-summary")).to_have_count(0, timeout=60_000)
    expect(page.locator("#analysis-quality")).to_be_visible()
    assert page.evaluate("document.body.dataset.since") == "before"
