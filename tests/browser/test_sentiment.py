"""The sentiment of each line under its bar of the timeline, shown by position, not by colour."""

import pytest
from playwright.sync_api import Page, expect

from analysis_app.services import analysis_request
from analysis_app.tasks import analyze_due
from sessions_app.models import Session
from tests.browser.conftest import PHONE, WIDE, accessibility_faults
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory

SAID = [
    ("agent", "Good morning, this is Acme Support."),
    ("customer", "This is terrible, I am really angry, the worst service ever."),
    ("agent", "I am so sorry about this horrible mistake."),
    ("customer", "The parcel is on the table."),
    ("agent", "Wonderful, I have sent you a replacement, it will be great."),
    ("customer", "Excellent, you are great, I am very happy now."),
]


@pytest.fixture
def call(cast: Cast) -> Session:
    session = SessionFactory.create(
        organization=cast.organization,
        status="ended",
        transcript_status="complete",
        duration=4.0 * len(SAID),
        segment_count=len(SAID),
    )
    for number, (speaker, text) in enumerate(SAID, start=1):
        SegmentFactory.create(session=session, sequence=number, speaker=speaker, text=text)
    return session


def middles(page: Page, speaker: str) -> list[float]:
    """The distance of each mark of the speaker above (positive) or below its middle line."""
    found: list[float] = page.locator(f"#strip rect.mood.{speaker}").evaluate_all(
        """marks => marks.map((mark) => {
            const at = (name) => Number(mark.getAttribute(name));
            const lines = [...document.querySelectorAll("#strip line.mood")];
            const distances = lines.map((line) =>
                Number(line.getAttribute("y1")) - at("y") - at("height") / 2);
            return distances.sort((a, b) => Math.abs(a) - Math.abs(b))[0];
        })"""
    )
    return found


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (PHONE, "dark")])
def test_lines_are_drawn_above_or_below_the_middle_by_sentiment(
    new_window, cast, call, width, theme
):
    window = new_window(width, theme)
    window.sign_in_as(cast.teammate)
    page = window.page()
    page.goto(f"{window.address}/dashboard/sessions/{call.id}")
    page.get_by_role("button", name="Analyze").click()
    expect(page.locator("#analysis-panel progress")).to_be_visible()
    expect(page.locator("#strip .mood")).to_have_count(0)
    expect(page.locator("#mood-legend")).to_be_hidden()
    analyze_due()
    expect(page.locator("#strip rect.mood")).to_have_count(len(SAID))
    angry, plain, happy = middles(page, "customer")
    assert angry < -1
    assert abs(plain) < 1
    assert happy > 1
    expect(page.locator("#mood-legend")).to_be_visible()
    expect(page.locator("#strip rect.mood").nth(1)).to_contain_text("Sentiment \N{MINUS SIGN}0.")
    spoken = page.locator("#strip").get_attribute("aria-label") or ""
    assert "customer: 1 positive, 1 neutral, 1 negative lines" in spoken
    assert accessibility_faults(page) == []
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0


def test_lines_in_a_language_without_a_lexicon_have_no_sentiment(new_window, cast, call):
    call.segments.filter(sequence=4).update(language="fi")
    analysis_request(tenant=cast.tenant, session=call, analyses=["sentiment"])
    analyze_due()
    window = new_window()
    window.sign_in_as(cast.teammate)
    page = window.page()
    page.goto(f"{window.address}/dashboard/sessions/{call.id}")
    expect(page.locator("#strip rect.mood")).to_have_count(len(SAID) - 1)
    expect(page.locator("#strip rect[data-id]")).to_have_count(len(SAID))
