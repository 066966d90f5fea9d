"""A translated call between two browsers, on a real installation. Nothing is mocked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright, expect

from kallglot_site.caller.audio import file_of_samples
from tests.browser.conftest import PHONE, WIDE, Window
from tests.browser.microphone import browser_with_microphone, speech_file
from tests.e2e.server import Server
from tests.requirements import needs_apertium

pytestmark = [
    needs_apertium,
    pytest.mark.engine,
    pytest.mark.e2e,
    pytest.mark.one_pass,
    pytest.mark.timeout(600),
]

LOADING = 90_000  # milliseconds: the first call loads the engines, on a busy machine

# Marks the page once it plays something that is not silent.
LISTEN = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...more) {
  if (target instanceof AudioDestinationNode && this.buffer) {
    const loud = this.buffer.getChannelData(0).some((value) => Math.abs(value) > 0.05);
    if (loud) document.documentElement.dataset.plays = "speech";
  }
  return connect.call(this, target, ...more);
};
"""


@pytest.fixture
def parties(
    playwright: Playwright, browser_path: str, server: Server, tmp_path: Path
) -> Iterator[tuple[Window, Window]]:
    """The agent's browser, which is silent, and that of a customer who speaks Spanish."""
    silence = tmp_path / "silence.wav"
    file_of_samples(silence, np.zeros(16_000, np.int16))
    speech = speech_file(
        tmp_path / "spanish.wav", "Necesito información sobre mi paquete.", "customer", "es"
    )
    with (
        browser_with_microphone(playwright, browser_path, silence) as here,
        browser_with_microphone(playwright, browser_path, speech) as there,
    ):
        staff = Window(here.new_context(viewport={"width": WIDE, "height": 900}), server.url)
        guest = Window(there.new_context(viewport={"width": PHONE, "height": 844}), server.url)
        yield staff, guest
        assert staff.faults == []
        assert guest.faults == []


def talk_page(staff: Window, server: Server) -> Page:
    page = staff.page()
    page.add_init_script(LISTEN)
    staff.sign_in(page, server.credentials.staff_email, server.credentials.staff_password)
    page.goto(f"{server.url}/dashboard/talk")
    page.get_by_label("Mode").select_option("bidirectional_translation")
    page.get_by_label("The customer speaks").select_option("es")
    page.get_by_label("You speak").select_option("en")
    page.get_by_role("button", name="Start talking").click()
    return page


def test_the_agent_reads_and_hears_in_english_what_the_customer_says_in_spanish(
    parties: tuple[Window, Window], server: Server
) -> None:
    staff, guest = parties
    agent = talk_page(staff, server)
    link = agent.get_by_label("Link for the customer")
    expect(link).to_be_visible(timeout=LOADING)
    customer = guest.page()
    customer.goto(link.input_value())
    customer.get_by_role("button", name="Join with the microphone").click()
    for page in (agent, customer):
        line = page.locator(".seg.customer:not(.partial)").first
        expect(line.locator(".text")).to_contain_text("paquete", timeout=LOADING)
        expect(line.locator(".tr")).to_contain_text("package", timeout=LOADING)
    expect(agent.locator("html")).to_have_attribute("data-plays", "speech", timeout=LOADING)
    agent.get_by_role("button", name="Hang up").click()
    agent.get_by_role("link", name="Open the session").click(timeout=LOADING)
    expect(agent.locator(".seg.customer .tr").first).to_contain_text("package")
