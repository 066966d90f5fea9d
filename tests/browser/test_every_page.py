"""Every page, wide and on a phone, light and dark: no console error, no blocked script or style, no
request to another host, no accessibility fault, nothing wider than the window."""

from collections.abc import Callable

import pyotp
import pytest
from django.utils import timezone
from playwright.sync_api import expect

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.members import audit_record, invitation_create
from sessions_app.models import Session, Track
from sessions_app.payloads import session_payload
from tests.browser.conftest import PHONE, WIDE, Window, accessibility_faults
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory
from webhooks_app.models import Attempt, Delivery, Endpoint, Event

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
    "two-factor set-up": "/account/two-factor",
    "webhooks": "/dashboard/webhooks",
    "webhook endpoint": "/dashboard/webhooks/{endpoint}",
    "webhook delivery": "/dashboard/webhooks/deliveries/{delivery}",
    "events": "/dashboard/events",
    "event": "/dashboard/events/{event}",
    "event catalog": "/dashboard/events/catalog",
}
PUBLIC_PAGES = {
    "login": "/login",
    "password": "/password",
    "invitation": "/invitation/{invitation}",
    "API errors": "/errors",
    "API reference": "/v1/docs",
}
SECOND_FACTOR = {
    "two-factor": "/account/two-factor",
    "new recovery codes": "/account/two-factor/codes",
    "turning it off": "/account/two-factor/off",
    "members with it": "/dashboard/members",
}
pytestmark = pytest.mark.one_pass

VIEWS = [(WIDE, "light"), (PHONE, "dark")]
SQUEEZED = """[...document.querySelectorAll("td")]
  .filter((cell) => cell.innerText.length > 30 && cell.clientWidth && cell.clientWidth < 100)
  .map((cell) => cell.innerText)"""


@pytest.fixture
def places(cast: Cast) -> dict[str, str]:
    """Rows for the pages, by the names in their addresses."""

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
    audit_record(
        organization=cast.organization,
        actor=cast.owner,
        action="session.erased",
        target=ended.id,
        detail=f"https://hooks.example/{'tenant' * 20}",
    )
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
        **webhook_rows(cast, ended),
    }


def webhook_rows(cast: Cast, session: Session) -> dict[str, str]:
    """An endpoint with a long URL, and a delivery that succeeded at the second attempt."""
    address = f"https://hooks.example/{'tenant' * 20}?source=voice"
    endpoint = Endpoint.objects.create(url=address, events=["*"], **cast.tenant.filters)
    switched_off = Endpoint.objects.create(
        url="https://old.example/hooks",
        events=["session.ended", "recording.ready"],
        status="disabled",
        disabled_reason="failing",
        disabled_at=timezone.now(),
        **cast.tenant.filters,
    )
    event = Event.objects.create(
        type="session.ended",
        session_id=session.id,
        sequence=1,
        data=session_payload(session),
        **cast.tenant.filters,
    )
    for receiver in (endpoint, switched_off):
        delivery = Delivery.objects.create(event=event, endpoint=receiver, status="delivered")
        for number, code in enumerate((502, 200), start=1):
            Attempt.objects.create(
                delivery=delivery,
                endpoint=receiver,
                number=number,
                at=timezone.now(),
                duration_ms=900 * number,
                status_code=code,
                succeeded=code == 200,
                request_headers={"Kallglot-Signature": f"t=1,v1={'a1' * 32}"},
                response_headers={"content-type": "text/plain"},
                response_body="an answer",
            )
    return {"endpoint": endpoint.id, "delivery": delivery.id, "event": event.id}


def look_at(window: Window, page, path: str, expected: int = 200) -> list[str]:
    """The faults of a page: of accessibility, and of layout."""
    response = page.goto(f"{window.address}{path}")
    assert response is not None
    assert response.status == expected
    # Panels of other apps load after the page, and the live view keeps a socket open.
    expect(page.locator(".loading")).to_have_count(0)
    if path == "/v1/docs":
        expect(page.get_by_label("Server")).to_be_visible()
    faults = [fault for fault in accessibility_faults(page) if not is_of_swagger(fault, path)]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append("wider than the window")
    faults += [f"too narrow a column: {text}" for text in page.evaluate(SQUEEZED)]
    return [f"{fault} at {page.viewport_size['width']} px" for fault in faults]


def is_of_swagger(fault: str, path: str) -> bool:
    """Swagger UI puts buttons into the button that opens an operation."""
    return path == "/v1/docs" and fault.startswith("nested-interactive")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_for_members_has_no_faults(
    new_window: Callable[..., Window], cast: Cast, places, name
):
    expected = 404 if name == "another environment's session" else 200
    faults: list[str] = []
    for width, theme in VIEWS:
        window = new_window(width, theme)
        page = window.page()
        window.sign_in_as(cast.owner)
        faults += look_at(window, page, PAGES[name].format(**places), expected)
        if expected == 404:
            window.faults[:] = [fault for fault in window.faults if "404" not in fault]
    assert faults == []


@pytest.mark.parametrize(
    "name", ["overview", "session", "talk", "keys", "members", "settings", "account", "webhooks"]
)
def test_a_page_of_a_suspended_organization_has_no_faults(new_window, cast: Cast, places, name):
    cast.organization.suspended_at = timezone.now()
    cast.organization.save()
    faults: list[str] = []
    for width, theme in VIEWS:
        window = new_window(width, theme)
        window.sign_in_as(cast.owner)
        page = window.page()
        faults += look_at(window, page, PAGES[name].format(**places))
        expect(page.get_by_text("Acme Support is suspended.")).to_be_visible()
    assert faults == []


@pytest.mark.parametrize("name", SECOND_FACTOR)
def test_a_page_of_the_second_factor_has_no_faults(
    new_window: Callable[..., Window], cast: Cast, places, name
):
    secret = two_factor.secret_new()
    code = pyotp.TOTP(secret).now()
    two_factor.two_factor_enable(user=cast.owner, secret=secret, code=code)
    faults: list[str] = []
    for width, theme in VIEWS:
        window = new_window(width, theme)
        window.sign_in_as(cast.owner)
        faults += look_at(window, window.page(), SECOND_FACTOR[name])
    assert faults == []


@pytest.mark.parametrize("name", PUBLIC_PAGES)
def test_a_public_page_has_no_faults(new_window: Callable[..., Window], places, name):
    faults: list[str] = []
    for width, theme in VIEWS:
        window = new_window(width, theme)
        faults += look_at(window, window.page(), PUBLIC_PAGES[name].format(**places))
    assert faults == []
