"""The live transcript in the browser, also across broken connections."""

import time

from playwright.sync_api import WebSocketRoute, expect

from kallglot_site.accounts.dashboard.sockets import StaffSocket
from sessions_app import runtime
from sessions_app.live_events import (
    PartialTranscript,
    SpokenEvent,
    TranslationFailed,
    TranslationPartial,
)
from sessions_app.models import Segment, Session
from sessions_app.notifications import notify
from tests.browser.conftest import accessibility_faults
from tests.factories import SegmentFactory, SessionFactory

EVIL = "<img src=x onerror=document.title='owned'>"


def say(session: Session, sequence: int, text: str, **columns) -> None:
    SegmentFactory.create(session=session, sequence=sequence, text=text, **columns)
    Session.objects.filter(pk=session.pk).update(segment_count=sequence)
    notify(session.id)


def publish(session: Session, event: SpokenEvent) -> None:
    """Publish as the gateway does, on the server's event loop, once a page follows the session."""
    deadline = time.monotonic() + 30
    while not is_followed(session) and time.monotonic() < deadline:
        time.sleep(0.02)
    gateway = runtime._runtime.gateway
    gateway._loop.call_soon_threadsafe(gateway.sessions[session.id].publish, event)


def is_followed(session: Session) -> bool:
    current = runtime._runtime
    return current is not None and session.id in current.gateway.sessions


def lines(page) -> list[str]:
    texts: list[str] = page.locator(".seg:not(.partial) .text").all_text_contents()
    return texts


def test_a_live_transcript_grows_and_finals_replace_partials(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    expect(page.get_by_text("Listening…")).to_be_visible()
    say(session, 1, "Good morning.", speaker="agent")
    expect(page.locator(".seg.agent .text")).to_have_text("Good morning.")
    publish(session, PartialTranscript("seg_02", "customer", "en", "I have a", 3.5))
    expect(page.locator(".seg.partial .text")).to_have_text("I have a")
    say(session, 2, "I have a question.", id="seg_02")
    expect(page.locator(".seg.customer .text")).to_have_text("I have a question.")
    expect(page.locator(".partial")).to_have_count(0)
    say(session, 3, EVIL, speaker="agent")
    expect(page.locator(".seg.agent .text").last).to_have_text(EVIL)
    assert "owned" not in page.title()
    expect(page.locator("#strip rect")).to_have_count(3)


def test_subtitles_are_replaced_by_the_translation(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    expect(page.get_by_text("Listening…")).to_be_visible()
    publish(session, PartialTranscript("seg_01", "customer", "es", "Necesito información", 3.5))
    publish(session, TranslationPartial("seg_01", "customer", "en", "I need"))
    expect(page.locator(".tr.subtitle")).to_have_text("I need")
    publish(session, TranslationPartial("seg_01", "customer", "en", "I need information"))
    expect(page.locator(".tr.subtitle")).to_have_text("I need information")
    assert accessibility_faults(page) == []
    say(session, 1, "Necesito información sobre mi paquete.", id="seg_01")
    translation = "I need information about my package."
    Session.objects.filter(pk=session.pk).update(translation_count=1)
    Segment.objects.update(translation=translation, translated_sequence=1)
    notify(session.id)
    expect(page.locator(".tr")).to_have_text(translation)
    publish(session, TranslationPartial("seg_01", "customer", "en", "too late"))
    publish(session, PartialTranscript("seg_02", "agent", "en", "Thank you", 8.0))
    expect(page.locator(".seg.partial .text")).to_have_text("Thank you")
    expect(page.locator(".tr")).to_have_text(translation)
    expect(page.locator(".tr.subtitle")).to_have_count(0)


def test_lines_that_were_not_translated_or_interrupted_say_so(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    say(session, 1, "Buenos días.", id="seg_01")
    say(session, 2, "Necesito información.", id="seg_02")
    expect(page.locator(".seg")).to_have_count(2)
    publish(session, TranslationPartial("seg_01", "customer", "en", "Good"))
    publish(session, TranslationFailed("seg_01", "customer", "translation_unavailable"))
    expect(page.locator("#seg_01 .note")).to_have_text("not translated")
    expect(page.locator("#seg_01 .tr")).to_have_count(0)
    Segment.objects.filter(pk="seg_02").update(interrupted=True)
    Session.objects.update(status="ended", transcript_status="complete")
    notify(session.id)
    expect(page.locator("#seg_02 .note")).to_have_text("interrupted")
    page.reload()
    expect(page.locator("#seg_02 .note")).to_have_text("interrupted")
    assert accessibility_faults(page) == []


def test_a_broken_connection_neither_loses_nor_repeats_a_line(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    routes: list[WebSocketRoute] = []

    def through(route: WebSocketRoute) -> None:
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket("**/live?*", through)
    say(session, 1, "before the page")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    say(session, 2, "before the break")
    expect(page.locator(".seg")).to_have_count(2)
    routes[0].close(code=1012)
    say(session, 3, "during the break")
    say(session, 4, "also then")
    expect(page.locator(".seg")).to_have_count(4)
    say(session, 5, "after it")
    expect(page.locator(".seg")).to_have_count(5)
    assert len(routes) == 2
    assert "after=2" in routes[1].url
    assert lines(page) == [
        "before the page",
        "before the break",
        "during the break",
        "also then",
        "after it",
    ]


def test_an_admin_ends_the_call_after_confirming(owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    page.get_by_role("button", name="End call").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    session.refresh_from_db()
    assert not session.is_ended
    page.get_by_role("button", name="End call").click()
    page.get_by_role("dialog").get_by_role("button", name="End call").click()
    expect(page.locator(".toast")).to_contain_text("The call has ended.")
    session.refresh_from_db()
    assert session.is_ended


def test_signing_out_elsewhere_stops_the_live_view(new_window, owner_window, cast):
    window, page = owner_window
    session = SessionFactory.create(organization=cast.organization, status="active")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    other = window.page()
    other.goto(f"{window.address}/dashboard/")
    other.locator(".switcher summary").click()
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/login")
    expect(page.get_by_text("The live view has stopped")).to_be_visible(
        timeout=1000 * (StaffSocket.recheck_every + 20)
    )
