"""Talking in the browser with a microphone fed from a file, through the real speech engines."""

import asyncio
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from kallglot_site.caller.audio import SAMPLE_RATE
from kallglot_site.caller.spoken import Line, call_speak
from sessions_app.models import Segment, Session
from sessions_app.streaming.media import decode
from tests.browser.conftest import ARGUMENTS, WIDE, Desk

LINES = [Line("agent", "Hello. I am calling about the coffee machine that I ordered last week.")]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for Chromium's fake microphone, spoken by the installation's own synthesizer."""
    # In a thread of its own: Playwright has an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        frames = thread.submit(lambda: asyncio.run(call_speak(LINES))).result()["agent"]
    path = tmp_path_factory.mktemp("speech") / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(decode(b"".join(frames), "mulaw").tobytes())
    return path


@pytest.mark.engine
def test_a_person_talks_and_sees_the_words(
    playwright: Playwright, browser_path: str, address: str, cast, speech: Path
):
    browser = playwright.chromium.launch(
        executable_path=browser_path,
        args=[
            *ARGUMENTS,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={speech}%noloop",
        ],
    )
    try:
        made = Desk(browser.new_context(viewport={"width": WIDE, "height": 900}), address)
        made.sign_in_as(cast.owner)
        page = made.page()
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
        assert made.faults == []
    finally:
        browser.close()
    session = Session.objects.get()
    assert session.is_ended
    assert "coffee machine" in Segment.objects.filter(session=session)[0].text
