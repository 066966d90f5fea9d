"""Talking in the browser with a microphone fed from a file, through the real speech engines."""

from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from sessions_app.models import Segment, Session
from tests.browser.conftest import WIDE, Window
from tests.browser.microphone import browser_hearing, speech_file


@pytest.mark.engine
def test_a_person_talks_and_sees_the_words(
    playwright: Playwright, browser_path: str, address: str, cast, tmp_path: Path
):
    speech = speech_file(
        tmp_path / "microphone.wav",
        "Hello. I am calling about the coffee machine that I ordered last week.",
    )
    with browser_hearing(playwright, browser_path, speech) as browser:
        window = Window(browser.new_context(viewport={"width": WIDE, "height": 900}), address)
        window.sign_in_as(cast.owner)
        page = window.page()
        page.goto(f"{address}/dashboard/talk")
        page.get_by_role("button", name="Start talking").click()
        # The first call loads the engine; what was said meanwhile waits and is not lost.
        expect(page.locator(".seg.agent:not(.partial)")).to_contain_text(
            "coffee machine", timeout=60_000
        )
        page.get_by_role("button", name="Mute").click()
        expect(page.get_by_role("button", name="Unmute")).to_be_visible()
        page.get_by_role("button", name="Hang up").click()
        page.get_by_role("link", name="Open the session").click(timeout=30_000)
        expect(page.locator(".seg.agent").first).to_contain_text("coffee machine")
        assert window.faults == []
    session = Session.objects.get()
    assert session.is_ended
    assert "coffee machine" in Segment.objects.filter(session=session)[0].text
