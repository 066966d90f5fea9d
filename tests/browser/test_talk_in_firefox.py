"""A call in Firefox, with its microphone, the real speech engines and a customer who speaks."""

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect
from websockets.sync.client import connect

from kallglot_site.caller.audio import FRAME_MS, frames_of_file
from sessions_app.models import Session, Track
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.browser.conftest import WIDE, Window, firefox_launcher
from tests.browser.microphone import speech_file
from tests.conftest import Cast

pytestmark = [pytest.mark.one_pass, pytest.mark.timeout(300)]

LOADING = 90_000  # milliseconds: the first call loads the engine, on a busy machine
MICROPHONE: dict[str, str | float | bool] = {
    "media.navigator.streams.fake": True,  # a tone
    "media.navigator.permission.disabled": True,
}


@contextmanager
def loudspeaker(pulseaudio: str, folder: Path) -> Iterator[str]:
    """The address of a PulseAudio server whose only output is not heard."""
    socket = folder / "speaker.socket"
    modules = [
        "module-null-sink",
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
    ]
    options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    loaded = [part for module in modules for part in ("-L", module)]
    process = subprocess.Popen(
        [pulseaudio, *options, "--disable-shm=yes", *loaded],
        env=os.environ | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"unix:{socket}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def firefox_window(
    playwright: Playwright, path: str, folder: Path, pulse_server: str, address: str, cast: Cast
) -> Iterator[Window]:
    """A separate Firefox whose microphone is a tone. The owner is signed in."""
    browser = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=firefox_launcher(folder, path),
        firefox_user_prefs=MICROPHONE,
        env={**os.environ, "PULSE_SERVER": pulse_server},
    )
    try:
        context = browser.new_context(viewport={"width": WIDE, "height": 900})
        window = Window(context, address)
        window.sign_in_as(cast.owner)
        yield window
        assert window.faults == []
    finally:
        browser.close()


@pytest.fixture
def window(
    playwright: Playwright,
    firefox_path: str,
    pulseaudio_path: str,
    tmp_path: Path,
    address: str,
    cast: Cast,
) -> Iterator[Window]:
    with (
        loudspeaker(pulseaudio_path, tmp_path) as server,
        firefox_window(playwright, firefox_path, tmp_path, server, address, cast) as opened,
    ):
        yield opened


@pytest.fixture
def window_without_loudspeaker(
    playwright: Playwright, firefox_path: str, tmp_path: Path, address: str, cast: Cast
) -> Iterator[Window]:
    nobody = f"unix:{tmp_path / 'nobody'}"
    with firefox_window(playwright, firefox_path, tmp_path, nobody, address, cast) as opened:
        yield opened


@contextmanager
def customer_speaks(address: str, session: Session, frames: list[bytes]) -> Iterator[None]:
    """The customer joins, speaks in real time and is silent afterwards."""
    token, _ = stream_token_issue(session, None, speakers=["customer"])
    url = f"ws{address.removeprefix('http')}/v1/sessions/{session.id}/connect"
    silence = b"\xff" * len(frames[0])
    over = threading.Event()

    def talk() -> None:
        with connect(f"{url}?token={token}&speaker=customer", proxy=None) as socket:
            began, sent = time.monotonic(), 0
            while not over.wait(max(0.0, began + sent * FRAME_MS / 1000 - time.monotonic())):
                payload = frames[sent] if sent < len(frames) else silence
                audio = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1}
                audio["payload"] = base64.b64encode(payload).decode()
                socket.send(json.dumps({"type": "audio.input", "audio": audio}))
                sent += 1

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(10)


def wait_until(page: Page, true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for the server, while Playwright goes on handling the page's events."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


@pytest.mark.engine
def test_a_call_with_the_microphone_of_firefox(window: Window, tmp_path: Path) -> None:
    frames = frames_of_file(
        speech_file(tmp_path / "c.wav", "I ordered a coffee machine last week.", "customer")
    )
    page = window.page()
    page.goto(f"{window.address}/dashboard/talk")
    page.get_by_role("button", name="Start talking").click()
    expect(page.get_by_role("button", name="Hang up")).to_be_visible(timeout=LOADING)
    session = Session.objects.get()
    wait_until(page, lambda: Session.objects.get().status == "active")

    def agent() -> Track:
        return Track.objects.get(session=session, speaker="agent")

    meter = page.get_by_label("Microphone level")
    wait_until(page, lambda: meter.evaluate("meter => meter.value") > 0)
    before = agent().position
    wait_until(page, lambda: agent().position > before + 2)
    with customer_speaks(window.address, session, frames):
        expect(page.locator(".seg.customer:not(.partial)")).to_contain_text(
            "coffee machine", timeout=LOADING
        )
    page.get_by_role("button", name="Mute").click()
    wait_until(page, lambda: agent().muted)
    wait_until(page, lambda: meter.evaluate("meter => meter.value") == 0)
    page.get_by_role("button", name="Unmute").click()
    wait_until(page, lambda: not agent().muted)
    wait_until(page, lambda: meter.evaluate("meter => meter.value") > 0)
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("heading", name="The call has ended")).to_be_visible(timeout=LOADING)
    page.get_by_role("link", name="Open the session").click()
    expect(page.locator(".seg.customer").first).to_contain_text("coffee machine")
    session.refresh_from_db()
    assert session.is_ended
    assert session.duration > 2


def test_firefox_without_an_output_device_is_told_why_the_call_does_not_start(
    window_without_loudspeaker: Window,
) -> None:
    page = window_without_loudspeaker.page()
    page.goto(f"{window_without_loudspeaker.address}/dashboard/talk")
    page.get_by_role("button", name="Start talking").click()
    expect(page.get_by_role("alert")).to_contain_text("Connect headphones", timeout=30_000)
    expect(page.get_by_role("button", name="Start talking")).to_be_visible()
    assert not Session.objects.exists()
