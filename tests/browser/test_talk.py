"""A call in the browser: with the real speech engines, and against a scripted gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright, Route, WebSocketRoute, expect

from sessions_app.models import Segment, Session
from tests.browser.conftest import WIDE, Window
from tests.browser.microphone import browser_with_microphone, speech_file
from tests.conftest import Cast
from tests.factories import SegmentFactory


@pytest.mark.engine
@pytest.mark.one_pass
def test_the_transcript_of_a_call_with_the_microphone_is_shown(
    playwright: Playwright, browser_path: str, address: str, cast, tmp_path: Path
):
    speech = speech_file(
        tmp_path / "microphone.wav",
        "Hello. I am calling about the coffee machine that I ordered last week.",
    )
    with browser_with_microphone(playwright, browser_path, speech) as browser:
        window = Window(browser.new_context(viewport={"width": WIDE, "height": 900}), address)
        window.sign_in_as(cast.owner)
        page = window.page()
        page.goto(f"{address}/dashboard/talk")
        page.get_by_role("button", name="Start talking").click()
        # The first call loads the engine. Audio waits meanwhile and is not lost.
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


class Gateway:
    """Answers the page's WebSockets as the streaming protocol says. The test sends the rest."""

    def __init__(self, page: Page) -> None:
        self.connections: list[WebSocketRoute] = []
        self.received: list[dict[str, Any]] = []
        self.frames = 0  # of audio
        page.route_web_socket("**/connect?*", self._accept)

    def _accept(self, route: WebSocketRoute) -> None:
        self.connections.append(route)
        route.on_message(self._message)

    def _message(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            self.frames += 1
            return
        message = json.loads(text)
        self.received.append(message)
        if message["type"] == "audio.start":
            self.send("session.ready", resumed=len(self.connections) > 1)
        if message["type"] == "session.end":
            self.send("session.ended", reason="completed")

    def send(self, type: str, **fields: Any) -> None:
        self.connections[-1].send(json.dumps({"type": type, **fields}))

    def final(self, id: str, text: str, start: float) -> None:
        self.send(
            "transcript.final",
            id=id,
            speaker="agent",
            language="en",
            text=text,
            translation=None,
            start_time=start,
            end_time=start + 1.0,
            confidence=0.9,
        )

    def count(self, type: str) -> int:
        return sum(message["type"] == type for message in self.received)


@pytest.fixture
def talk_page(
    playwright: Playwright, browser_path: str, address: str, cast: Cast
) -> Iterator[tuple[Page, Gateway]]:
    """The Talk page of a call that has begun. The page's clock is the test's."""
    with browser_with_microphone(playwright, browser_path) as browser:
        window = Window(browser.new_context(viewport={"width": WIDE, "height": 900}), address)
        window.sign_in_as(cast.owner)
        page = window.page()
        page.clock.install()
        gateway = Gateway(page)
        page.goto(f"{address}/dashboard/talk")
        page.get_by_role("button", name="Start talking").click()
        expect(page.get_by_role("button", name="Hang up")).to_be_visible()
        yield page, gateway
        assert window.faults == []


def test_what_is_said_while_the_session_is_made_is_sent(
    playwright: Playwright, browser_path: str, address: str, cast: Cast
):
    with browser_with_microphone(playwright, browser_path) as browser:
        window = Window(browser.new_context(viewport={"width": WIDE, "height": 900}), address)
        window.sign_in_as(cast.owner)
        page = window.page()
        gateway = Gateway(page)
        page.goto(f"{address}/dashboard/talk")
        held: list[Route] = []
        page.route(
            lambda url: url.startswith(address),
            lambda route: (
                held.append(route) if route.request.method == "POST" else route.continue_()
            ),
        )
        page.get_by_role("button", name="Start talking").click()
        page.wait_for_function("() => document.getElementById('level').value > 0")
        page.wait_for_timeout(3_000)
        [route] = held
        route.continue_()
        expect(page.get_by_role("button", name="Hang up")).to_be_visible()
        assert gateway.frames >= 25  # of 100 ms
        assert window.faults == []


SILENCE = {"encoding": "mulaw", "sample_rate_hz": 8000, "payload": "/" * 32_000}  # three seconds

# Counts what the page plays, and what it stops playing.
COUNT_SOUNDS = """() => {
  window.sounds = { started: 0, stopped: 0 };
  for (const [name, count] of [["start", "started"], ["stop", "stopped"]]) {
    const original = AudioBufferSourceNode.prototype[name];
    AudioBufferSourceNode.prototype[name] = function (...at) {
      window.sounds[count]++;
      return original.apply(this, at);
    };
  }
}"""


def test_speech_that_is_cleared_is_not_played_on(talk_page):
    page, gateway = talk_page
    page.evaluate(COUNT_SOUNDS)
    for segment in ("seg_1", "seg_2"):
        gateway.send("audio.output", segment_id=segment, audio=SILENCE, original=False)
    gateway.send("audio.output", segment_id=None, audio=SILENCE, original=True)
    gateway.send("audio.clear", segment_id="seg_2", reason="barge_in")
    gateway.final("seg_1", "One is stopped.", 1.0)
    expect(page.locator(".seg .text")).to_have_text("One is stopped.")
    assert page.evaluate("window.sounds") == {"started": 3, "stopped": 1}
    gateway.send("audio.clear", segment_id=None, reason="barge_in")
    gateway.final("seg_3", "All are stopped.", 2.0)
    expect(page.locator(".seg .text").last).to_have_text("All are stopped.")
    assert page.evaluate("window.sounds") == {"started": 3, "stopped": 3}


def test_a_party_sees_subtitles_translations_and_what_failed(talk_page):
    page, gateway = talk_page
    gateway.final("seg_1", "Where is my package?", 1.0)
    gateway.send("translation.partial", segment_id="seg_1", text="Dónde")
    expect(page.locator(".tr.subtitle")).to_have_text("Dónde")
    gateway.send("translation.final", segment_id="seg_1", text="¿Dónde está mi paquete?")
    expect(page.locator("#seg_1 .tr:not(.subtitle)")).to_have_text("¿Dónde está mi paquete?")
    gateway.final("seg_2", "Hello?", 3.0)
    gateway.send("translation.failed", segment_id="seg_2", code="translation_unavailable")
    expect(page.locator("#seg_2 .note")).to_have_text("not translated")


def transcript_complete(*texts: str) -> None:
    """Store what the gateway would have stored."""
    session = Session.objects.get()
    for number, text in enumerate(texts, start=1):
        SegmentFactory.create(session=session, sequence=number, speaker="agent", text=text)
    Session.objects.update(status="ended", transcript_status="complete")


def test_finals_that_come_long_after_hanging_up_are_shown(talk_page):
    page, gateway = talk_page
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_text("Transcribing the last words…")).to_be_visible()
    page.clock.fast_forward(30_000)
    gateway.final("seg_last", "These are my last words.", 3.0)
    expect(page.locator(".seg .text")).to_have_text("These are my last words.")
    expect(page.get_by_text("Transcribing the last words…")).to_be_visible()
    Session.objects.update(status="ended", transcript_status="complete")
    gateway.connections[0].close(code=1000)
    expect(page.get_by_role("link", name="Open the session")).to_be_visible()
    assert gateway.count("session.end") == 1
    expect(page.locator(".seg .text")).to_have_text("These are my last words.")


@pytest.mark.parametrize("code", [1000, 1001])
def test_lines_that_the_connection_did_not_bring_are_fetched_after_the_call(talk_page, code):
    page, gateway = talk_page
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_text("Transcribing the last words…")).to_be_visible()
    gateway.connections[0].close(code=code)
    transcript_complete("Never sent to the page.")
    page.clock.fast_forward(3_000)
    expect(page.get_by_role("link", name="Open the session")).to_be_visible()
    expect(page.locator(".seg .text")).to_have_text("Never sent to the page.")


@pytest.mark.parametrize("code", [1001, 1011, 4408])
def test_a_lost_connection_is_opened_again_with_a_fresh_token(talk_page, code):
    page, gateway = talk_page
    gateway.connections[0].close(code=code)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    page.clock.fast_forward(1_000)
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    first, second = (route.url for route in gateway.connections)
    assert first.split("token=")[1] != second.split("token=")[1]


def test_hanging_up_while_the_connection_is_lost_ends_the_call_once_it_is_back(talk_page):
    page, gateway = talk_page
    gateway.connections[0].close(code=1001)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    page.get_by_role("button", name="Hang up").click()
    page.clock.fast_forward(1_000)
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    assert gateway.count("session.end") == 1
