"""Events on a session's page come without a reload, and badges stay beside what they are about."""

import pytest
from django.db import transaction
from playwright.sync_api import expect

from analysis_app.tasks import analyze_due
from kallglot_site.accounts.members import audit_record
from sessions_app.models import Session
from sessions_app.payloads import session_event
from tests.browser.conftest import WIDE
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory


@pytest.fixture
def call(cast: Cast, transactional_db: None) -> Session:
    session: Session = SessionFactory.create(
        organization=cast.organization, status="ended", transcript_status="complete"
    )
    SegmentFactory.create(session=session, sequence=1, text="Good morning.")
    Session.objects.filter(id=session.id).update(segment_count=1)
    return session


# In one step, since the panel may be replaced at any time.
BESIDE_EACH_OTHER = """() => {
    const find = (part) => document.querySelector(`#events-panel li ${part}`);
    const box = (part) => find(part).getBoundingClientRect();
    const [type, badge] = [box(".mono"), box(".badge")];
    return type.top < badge.bottom && badge.top < type.bottom;
}"""


def test_the_event_of_an_analysis_appears_when_it_is_complete(owner_window, call):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/sessions/{call.id}")
    expect(page.locator("#events-panel")).to_contain_text("No events")
    page.get_by_role("button", name="Analyze").click()
    expect(page.locator("#analysis-panel progress")).to_be_visible()
    analyze_due()
    expect(page.locator("#events-panel")).to_contain_text("analysis.complete")


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (400, "dark")])
def test_the_badge_of_a_long_event_stays_beside_it(new_window, cast, call, width, theme):
    with transaction.atomic():
        session_event("session.provider.disconnected", call)
    window = new_window(width, theme)
    window.sign_in_as(cast.owner)
    page = window.page()
    page.goto(f"{window.address}/dashboard/sessions/{call.id}")
    expect(page.locator("#events-panel .badge")).to_be_visible()
    assert page.evaluate(BESIDE_EACH_OTHER)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (400, "dark")])
def test_the_environment_of_an_audit_entry_stays_beside_its_object(
    new_window, cast, call, width, theme
):
    audit_record(
        organization=cast.organization,
        actor=cast.owner,
        action="webhook_endpoint.secret_rotated",
        target=call.id,
        detail="https://a-long-name.example.com/some/path/of/a/hook",
        environment="live",
    )
    window = new_window(width, theme)
    window.sign_in_as(cast.owner)
    page = window.page()
    page.goto(f"{window.address}/dashboard/audit")
    badge = page.locator(".object .env")
    box = badge.bounding_box()
    whole = page.locator(".object").bounding_box()
    assert box is not None
    assert whole is not None
    assert box["height"] < 26
    assert box["y"] - whole["y"] < 8
