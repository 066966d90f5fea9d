"""Makes the screenshots of the documents from a running installation with at least one call.

    make run                       # in one terminal
    make demo                      # in another: plays a translated call
    .venv/bin/python manage.py demo --mode transcription
    .venv/bin/python docs/screenshots.py http://127.0.0.1:8000 EMAIL PASSWORD

Shows the latest ended session (or ``--session ID``) and the latest translated one, starts the
analysis of a session that has none, and writes PNG files to ``docs/images``. ``--translated-only``
leaves the first session out.
"""

import argparse
import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDE = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}
LARGEST = 300_000  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="address of the installation, such as http://127.0.0.1:8000")
    parser.add_argument("email")
    parser.add_argument("password")
    parser.add_argument("--session", help="id of the session to show; default: the latest")
    parser.add_argument("--translated-only", action="store_true")
    arguments = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        state = _signed_in(browser, arguments)
        _translated(_page(browser, state, "light", WIDE), arguments.url)
        if arguments.translated_only:
            return
        for theme in ("light", "dark"):
            page = _page(browser, state, theme, WIDE)
            session = arguments.session or _latest_session(page, arguments.url)
            _session(page, f"{arguments.url}/dashboard/sessions/{session}")
            _take(page, f"session-{theme}")
            if theme == "light":
                _list_and_overview(page, arguments.url)
        phone = _page(browser, state, "dark", PHONE)
        _session(phone, f"{arguments.url}/dashboard/sessions/{session}")
        _take(phone, "session-phone")
        browser.close()


def _signed_in(browser: Any, arguments: argparse.Namespace) -> Any:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{arguments.url}/login")
    page.get_by_label("Email").fill(arguments.email)
    page.get_by_label("Password").fill(arguments.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/")
    return context.storage_state()


def _page(browser: Any, state: Any, theme: str, size: dict[str, int]) -> Page:
    context = browser.new_context(viewport=size, color_scheme=theme, storage_state=state)
    page: Page = context.new_page()
    return page


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
