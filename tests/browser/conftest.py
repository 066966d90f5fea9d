"""Real browsers against the real application. Every page that a test opens is checked for faults.

Tests run in Chromium. A module runs in Firefox too with ``pytestmark = in_both_browsers``.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from kallglot_site.accounts.models import User
from tests.browser.server import served
from tests.conftest import Cast

ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
ROOT = Path(__file__).parents[2]
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
WIDE, PHONE = 1360, 390
in_both_browsers = pytest.mark.parametrize("browser_name", ["chromium", "firefox"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def playwright(django_db_setup: None) -> Iterator[Playwright]:
    # Playwright runs an event loop in this thread, so Django would refuse database access. It must
    # be stopped before asynchronous tests of other packages start their own loop.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, browser_path: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
    yield browser
    browser.close()


def firefox_launcher(folder: Path, firefox_path: str) -> Path:
    """A program in ``folder`` that starts Firefox for Playwright."""
    launcher = folder / "firefox"
    launcher.write_text(
        f"#!/bin/sh\ncd {ROOT}\n"
        f'exec {sys.executable} -m tests.browser.firefox {firefox_path} "$@"\n'
    )
    launcher.chmod(0o755)
    return launcher


@pytest.fixture(scope="package")
def firefox(
    playwright: Playwright, firefox_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    launcher = firefox_launcher(tmp_path_factory.mktemp("firefox"), firefox_path)
    browser = playwright.firefox.launch(channel="moz-firefox", executable_path=launcher)
    yield browser
    browser.close()


@pytest.fixture
def browser_name() -> str:
    """``in_both_browsers`` overrides it."""
    return "chromium"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    with served() as url:
        yield url


@dataclass
class Window:
    """A browser window with cookies of its own. ``faults`` lists errors of its pages."""

    context: BrowserContext
    address: str
    faults: list[str] = field(default_factory=list)

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._note_message(page, message))
        page.on("request", lambda request: self._note_request(page, request.url))
        return page

    def _note_message(self, page: Page, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{page.url}: {message.text}")

    def _note_request(self, page: Page, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"{page.url} asked for {url}")

    def sign_in_as(self, user: User) -> None:
        """Sign in without the form."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        cookie: Any = {"name": name, "value": client.cookies[name].value, "url": self.address}
        self.context.add_cookies([cookie])

    def sign_in(self, page: Page, email: str, password: str = "password") -> None:
        page.goto(f"{self.address}/login")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dashboard/")


@pytest.fixture
def new_window(
    request: pytest.FixtureRequest, browser_name: str, address: str
) -> Iterator[Callable[..., Window]]:
    """Opens windows: ``new_window(width=390, theme="dark")``. A fault in one fails the test.

    Firefox has the light theme only: see ``tests/browser/firefox.py``.
    """
    browser: Browser = request.getfixturevalue(browser_name)
    windows: list[Window] = []

    def make(width: int = WIDE, theme: Any = "light", **options: Any) -> Window:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **options
        )
        context.set_default_timeout(15_000)
        windows.append(Window(context, address))
        return windows[-1]

    yield make
    faults = [fault for each in windows for fault in each.faults]
    for each in windows:
        each.context.close()
    assert faults == []


@pytest.fixture
def owner_window(new_window: Callable[..., Window], cast: Cast) -> tuple[Window, Page]:
    """The owner, signed in on a wide screen."""
    window = new_window()
    window.sign_in_as(cast.owner)
    page = window.page()
    page.goto(f"{window.address}/dashboard/")
    return window, page


def accessibility_faults(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.1 A and AA: the rule and its first elements."""
    # Evaluated by the debugger: the page's content policy would block a script.
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
    )
    return [
        f"{violation['id']}: {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
    ]
