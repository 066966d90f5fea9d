"""Makes the screenshots of the documents from a running installation with at least one call.

    make run                       # in one terminal
    make demo                      # in another: plays a translated call
    .venv/bin/python manage.py demo --mode transcription
    .venv/bin/python docs/screenshots.py http://127.0.0.1:8000 EMAIL PASSWORD

Shows the latest ended session (or ``--session ID``) and the latest translated one, starts the
analysis of a session that has none, plays the demo's translated call through the microphones of two
browsers, and writes PNG files to ``docs/images``. ``--only`` takes some of the pictures.
"""

import argparse
import base64
import re
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

IMAGES = Path(__file__).parent / "images"
WIDE: ViewportSize = {"width": 1360, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
WINDOW: ViewportSize = {"width": 720, "height": 760}
"""Two of them stand side by side."""
UNTIL_CUSTOMER_JOINS = 12.0
"""Seconds. Chromium plays the file of a microphone from the moment that the page opens it."""
Theme = Literal["light", "dark"]
LARGEST = 300_000  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="address of the installation, such as http://127.0.0.1:8000")
    parser.add_argument("email")
    parser.add_argument("password")
    parser.add_argument("--session", help="id of the session to show; default: the latest")
    parser.add_argument("--only", choices=("talk", "translated", "session"))
    arguments = parser.parse_args()
    wanted = [arguments.only] if arguments.only else ["talk", "translated", "session"]
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = _browser(playwright)
        state = _signed_in(browser, arguments)
        if "talk" in wanted:
            _talk(playwright, browser, state, arguments.url)
        if "translated" in wanted:
            _translated(_page(browser, state, "light", WIDE), arguments.url)
        if "session" in wanted:
            _sessions(browser, state, arguments)
        browser.close()


def _browser(playwright: Playwright, *options: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", *options]
    )


def _sessions(browser: Browser, state: Any, arguments: argparse.Namespace) -> None:
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        page = _page(browser, state, theme, WIDE)
        session = arguments.session or _latest_session(page, arguments.url)
        _session(page, f"{arguments.url}/dashboard/sessions/{session}")
        _take(page, f"session-{theme}")
        if theme == "light":
            _list_and_overview(page, arguments.url)
    phone = _page(browser, state, "dark", PHONE)
    _session(phone, f"{arguments.url}/dashboard/sessions/{session}")
    _take(phone, "session-phone")


def _talk(playwright: Playwright, browser: Browser, state: Any, url: str) -> None:
    """Two people talk in two languages, each in a browser of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["manage.py", "demo", "--save", folder, "--mode", "bidirectional_translation"]
        subprocess.run([sys.executable, *command], cwd=IMAGES.parents[1], check=True)
        _begin_with_silence(Path(folder) / "agent.wav", UNTIL_CUSTOMER_JOINS)
        staff, guest = (
            _browser(
                playwright,
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={folder}/{party}.wav%noloop",
            )
            for party in ("agent", "customer")
        )
        agent = _page(staff, state, "light", WINDOW)
        agent.goto(f"{url}/dashboard/talk")
        agent.get_by_label("Mode").select_option("bidirectional_translation")
        agent.get_by_label("The customer speaks").select_option("es")
        agent.get_by_label("You speak").select_option("en")
        agent.get_by_role("button", name="Start talking").click()
        started = time.monotonic()
        link = agent.get_by_label("Link for the customer")
        expect(link).to_be_visible(timeout=60_000)
        customer = guest.new_context(viewport=WINDOW, color_scheme="light").new_page()
        customer.goto(link.input_value())
        customer.wait_for_timeout(1000 * (started + UNTIL_CUSTOMER_JOINS - time.monotonic()))
        customer.get_by_role("button", name="Join with the microphone").click()
        for page in (agent, customer):
            for party, count in (("customer", 2), ("agent", 2)):
                lines = page.locator(f".seg.{party}:not(.partial) .tr")
                expect(lines.nth(count - 1)).to_be_visible(timeout=120_000)
        windows = [page.screenshot() for page in (agent, customer)]
        agent.get_by_role("button", name="Hang up").click()
        staff.close()
        guest.close()
    size: ViewportSize = {"width": 2 * WINDOW["width"] + 48, "height": WINDOW["height"] + 32}
    _take(_side_by_side(browser.new_page(viewport=size), windows), "talk-translated")


def _begin_with_silence(path: Path, seconds: float) -> None:
    with wave.open(str(path), "rb") as file:
        parameters, frames = file.getparams(), file.readframes(file.getnframes())
    silence = bytes(round(seconds * parameters.framerate) * parameters.sampwidth)
    with wave.open(str(path), "wb") as file:
        file.setparams(parameters)
        file.writeframes(silence + frames)


def _side_by_side(page: Page, windows: Sequence[bytes]) -> Page:
    images = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(window).decode()}">'
        for window in windows
    )
    page.set_content(
        "<style>body { margin: 0; padding: 16px; display: flex; gap: 16px; background: #8a94a6 }"
        f"img {{ border-radius: 10px }}</style>{images}"
    )
    return page


def _signed_in(browser: Browser, arguments: argparse.Namespace) -> Any:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{arguments.url}/login")
    page.get_by_label("Email").fill(arguments.email)
    page.get_by_label("Password").fill(arguments.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/")
    return context.storage_state()


def _page(browser: Browser, state: Any, theme: Theme, size: ViewportSize) -> Page:
    context = browser.new_context(viewport=size, color_scheme=theme, storage_state=state)
    return context.new_page()


def _latest_session(page: Page, url: str, mode: str = "transcription") -> str:
    page.goto(f"{url}/dashboard/sessions?status=ended&mode={mode}")
    href = page.locator("tr[data-href] a").first.get_attribute("href")
    if href is None:
        raise SystemExit("There is no ended session: run `make demo` first.")
    return href.rsplit("/", 1)[1]


def _session(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(".loading")).to_have_count(0)
    analyze = page.get_by_role("button", name=re.compile("^Analyze"))
    if analyze.count():
        analyze.click()
        expect(page.locator("#analysis-summary")).to_be_visible(timeout=120_000)
    expect(page.locator("[aria-busy=true], progress:not([value])")).to_have_count(
        0, timeout=120_000
    )
    page.wait_for_timeout(1500)  # the waveform is drawn from the audio


def _translated(page: Page, url: str) -> None:
    session = _latest_session(page, url, "bidirectional_translation")
    _session(page, f"{url}/dashboard/sessions/{session}")
    _take(page.locator("#transcript"), "session-translated")


def _list_and_overview(page: Page, url: str) -> None:
    page.goto(f"{url}/dashboard/sessions")
    _take(page, "sessions")
    page.goto(f"{url}/dashboard/")
    page.wait_for_timeout(800)  # the chart is drawn
    _take(page, "overview")


def _take(shown: Page | Locator, name: str) -> None:
    path = IMAGES / f"{name}.png"
    shown.screenshot(path=path)
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes; at most {LARGEST} are allowed.")
    print(f"{path.name}: {size // 1000} kB")


if __name__ == "__main__":
    main()
