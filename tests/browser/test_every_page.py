"""Every page, wide and on a phone, light and dark: no console error, no forbidden script or
style, no request elsewhere, no accessibility fault, nothing that sticks out sideways."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from kallglot_site.accounts.members import invitation_create
from sessions_app.models import Track
from tests.browser.conftest import PHONE, WIDE, Desk, accessibility_faults
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory

PAGES = {
    "overview": "/dashboard/",
    "sessions": "/dashboard/sessions",
    "search": "/dashboard/sessions?q=order&status=ended",
    "no results": "/dashboard/sessions?q=unsaid",
    "session": "/dashboard/sessions/{session}",
    "live session": "/dashboard/sessions/{live}",
    "another environment's session": "/dashboard/sessions/{elsewhere}",
    "talk": "/dashboard/talk",
    "keys": "/dashboard/keys",
    "members": "/dashboard/members",
    "settings": "/dashboard/settings",
    "recordings settings": "/dashboard/settings/recordings",
    "analysis settings": "/dashboard/settings/analysis",
    "audit log": "/dashboard/audit",
    "account": "/dashboard/account",
    "webhooks": "/dashboard/webhooks",
    "events": "/dashboard/events",
}
DOORS = {"login": "/login", "password": "/password", "invitation": "/invitation/{invitation}"}
VIEWS = [(WIDE, "light"), (PHONE, "dark")]


@pytest.fixture
def places(cast: Cast) -> dict[str, str]:
    """Rows for the pages to show, by the names that addresses use."""

    def call(**columns):
        session = SessionFactory.create(organization=cast.organization, **columns)
        for number in range(1, 9):
            speaker = "agent" if number % 2 else "customer"
            SegmentFactory.create(
                session=session, sequence=number, speaker=speaker, translation="Hola, un pedido."
            )
            session.duration = number * 4.0
        session.save()
        Track.objects.create(session=session, speaker="customer", language="en", position=32.0)
        return session

    ended = call(
        status="ended",
        ended_at=timezone.now(),
        started_at=timezone.now(),
        transcript_status="complete",
        metadata={"customer_id": "cust_123"},
        provider_phone_number="+34600123218",
    )
    live = call(status="active", started_at=timezone.now())
    invitation = invitation_create(
        organization=cast.organization,
        email="new@acme.example",
        role="reviewer",
        created_by=cast.owner,
    )[1]
    return {
        "session": ended.id,
        "live": live.id,
        "elsewhere": call(environment="test").id,
        "invitation": invitation,
    }


def look_at(made: Desk, page, path: str, expected: int = 200) -> list[str]:
    response = page.goto(f"{made.address}{path}")
    assert response is not None
    if response.status == 404 and path in {"/dashboard/webhooks", "/dashboard/events"}:
        pytest.skip("this page is another app's and not there")
    assert response.status == expected
    # Panels of other apps load after the page, and the live view keeps a socket open.
    expect(page.locator(".loading")).to_have_count(0)
    faults = accessibility_faults(page)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append("sticks out sideways")
    return [f"{fault} at {page.viewport_size['width']} px" for fault in faults]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_for_members_is_sound(desk: Callable[..., Desk], cast: Cast, places, name):
    expected = 404 if name == "another environment's session" else 200
    faults: list[str] = []
    for width, theme in VIEWS:
        made = desk(width, theme)
        page = made.page()
        made.sign_in_as(cast.owner)
        faults += look_at(made, page, PAGES[name].format(**places), expected)
        if expected == 404:
            made.faults[:] = [fault for fault in made.faults if "404" not in fault]
    assert faults == []


@pytest.mark.parametrize("name", DOORS)
def test_a_page_before_signing_in_is_sound(desk: Callable[..., Desk], places, name):
    faults: list[str] = []
    for width, theme in VIEWS:
        made = desk(width, theme)
        faults += look_at(made, made.page(), DOORS[name].format(**places))
    assert faults == []
