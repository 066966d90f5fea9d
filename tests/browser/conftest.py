"""A real Chromium against the real application. Every page opened is watched for faults."""

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
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
WIDE, PHONE = 1360, 390


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def playwright(django_db_setup: None) -> Iterator[Playwright]:
    # Playwright runs an event loop under this very thread, which Django takes for async code; and
    # it must be gone before other packages' asynchronous tests want a loop of their own.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, browser_path: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    cache.clear()


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    with served() as url:
        yield url


@dataclass
class Desk:
    """A browser in which somebody works. ``faults`` gathers what no page may do."""

    context: BrowserContext
    address: str
    faults: list[str] = field(default_factory=list)

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._heard(page, message))
        page.on("request", lambda request: self._asked(page, request.url))
        return page

    def _heard(self, page: Page, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{page.url}: {message.text}")

    def _asked(self, page: Page, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"{page.url} asked for {url}")

    def sign_in_as(self, user: User) -> None:
        """Without the form, for tests that are about something else."""
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
def desk(chromium: Browser, address: str) -> Iterator[Callable[..., Desk]]:
    """Makes desks: ``desk(width=390, theme="dark")``. At the end none may have a fault."""
    desks: list[Desk] = []

    def make(width: int = WIDE, theme: Any = "light", **options: Any) -> Desk:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **options
        )
        context.set_default_timeout(15_000)
        desks.append(Desk(context, address))
        return desks[-1]

    yield make
    faults = [fault for each in desks for fault in each.faults]
    for each in desks:
        each.context.close()
    assert faults == []


@pytest.fixture
def office(desk: Callable[..., Desk], cast: Cast) -> tuple[Desk, Page]:
    """The owner, signed in on a wide screen."""
    made = desk()
    made.sign_in_as(cast.owner)
    page = made.page()
    page.goto(f"{made.address}/dashboard/")
    return made, page


def accessibility_faults(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.1 A and AA: rule, and the first elements at fault."""
    # Evaluated by the debugger, not by the page: the content policy would forbid a script.
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
    )
    return [
        f"{violation['id']}: {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
    ]
