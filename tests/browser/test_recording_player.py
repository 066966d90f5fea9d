"""The player on the session page: playing from a line, following, and keys."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright, expect

from kallglot_site.accounts.models import Environment
from kallglot_site.accounts.tenancy import Tenant
from recordings_app.models import Recording
from tests.browser.conftest import ARGUMENTS, Window
from tests.conftest import Cast
from tests.factories import SegmentFactory, recording_ready
from tests.recordings_app.audio import voice
from tests.recordings_app.media.test_encoding import encoded


@pytest.fixture
def page(playwright: Playwright, browser_path: str, address: str, cast: Cast) -> Iterator[Page]:
    """The page of a recorded call of 20 s with four lines, opened by the owner."""
    both = np.stack([voice(20, seed=1), voice(20, seed=2)], axis=1).ravel()
    bars = [50] * 1200
    recording = recording_ready(
        cast.tenant,
        encoded(both, "mp3", 8000, channels=2),
        duration=20.0,
        audio_channels=2,
        peaks={"agent": bars, "customer": bars},
    )
    session = recording.session
    session.duration, session.transcript_status = 20.0, "complete"
    session.started_at = session.created_at
    session.save()
    for number in range(4):
        speaker = "agent" if number % 2 else "customer"
        SegmentFactory.create(session=session, sequence=number + 1, speaker=speaker)
    browser = playwright.chromium.launch(
        executable_path=browser_path,
        args=[*ARGUMENTS, "--autoplay-policy=no-user-gesture-required"],
    )
    window = Window(browser.new_context(), address)
    window.sign_in_as(cast.owner)
    opened = window.page()
    opened.goto(f"{address}/dashboard/sessions/{session.id}")
    expect(opened.locator("recording-player canvas").first).to_be_attached()
    yield opened
    browser.close()
    assert window.faults == []


def test_clicking_a_line_plays_and_marks_it(page: Page) -> None:
    page.locator(".seg .at").nth(1).click()
    player = page.locator("recording-player")
    expect(player).to_have_attribute("playing", "")
    expect(page.locator(".seg").nth(1)).to_have_class("seg agent now")
    expect(page.locator(".player-controls .now")).to_have_text("00:05")
    page.keyboard.press("k")
    expect(player).not_to_have_attribute("playing", "")


def test_the_waveform_is_a_slider_for_the_keyboard(page: Page) -> None:
    wave = page.get_by_role("slider", name="Position in the recording")
    wave.focus()
    page.keyboard.press("ArrowRight")
    expect(wave).to_have_attribute("aria-valuetext", "00:05 of 00:20")
    expect(page.locator(".seg").nth(1)).to_have_class("seg agent now")
    page.keyboard.press("End")
    expect(wave).to_have_attribute("aria-valuenow", "20")
    page.keyboard.press("Home")
    expect(wave).to_have_attribute("aria-valuenow", "0")


def test_a_line_of_a_translated_call_plays_where_its_translation_was_heard(page: Page) -> None:
    session_id = page.url.rsplit("/", 1)[1]
    lines = page.locator(".seg")
    ids = lines.evaluate_all("lines => lines.map((line) => line.id)")
    recording = Recording.objects.get(session_id=session_id)
    for channel, line, start in (("agent_translation", 1, 9.0), ("customer_translation", 2, 14.0)):
        translation_of(recording, channel, {ids[line]: [start, start + 2]})
    page.reload()
    expect(page.locator("recording-player canvas").first).to_be_attached()
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Translated")).to_have_attribute("aria-pressed", "true")
    page.locator(".seg .at").nth(2).click()
    expect(lines.nth(2)).to_have_class("seg customer now")
    expect(page.locator(".player-controls .now")).to_have_text("00:14")
    page.get_by_role("button", name="Original").click()
    page.locator(".seg .at").nth(1).click()
    expect(page.locator(".player-controls .now")).to_have_text("00:05")


def test_both_files_of_the_translations_stop_when_the_original_is_chosen(page: Page) -> None:
    recording = Recording.objects.get(session_id=page.url.rsplit("/", 1)[1])
    line = page.locator(".seg").nth(1).get_attribute("id") or ""
    for channel in ("agent_translation", "customer_translation"):
        translation_of(recording, channel, {line: [5.0, 7.0]})
    page.add_init_script("""
        window.Audio = class extends window.Audio {
          constructor(...given) {
            super(...given);
            const { dataset } = document.documentElement;
            for (const event of ["playing", "pause"])
              this.addEventListener(event, () => { dataset.second = event; });
          }
        };
    """)
    page.reload()
    expect(page.locator("recording-player canvas").first).to_be_attached()
    page.keyboard.press("t")
    page.locator(".seg .at").nth(1).click()
    expect(page.locator("recording-player")).to_have_attribute("playing", "")
    expect(page.locator("html")).to_have_attribute("data-second", "playing")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-second", "pause")


def translation_of(recording: Recording, channel: str, spoken: dict[str, list[float]]) -> None:
    """A recording of ``channel`` in the session of ``recording``."""
    tenant = Tenant(recording.organization, Environment(recording.environment))
    made = recording_ready(
        tenant,
        encoded(voice(20, seed=5), "wav", 8000),
        format="wav",
        duration=20.0,
        channel=channel,
        peaks={channel: [50] * 1200},
        spoken=spoken,
    )
    made.session = recording.session
    made.save()


def test_the_playback_speed_is_kept(page: Page) -> None:
    page.keyboard.press(">")
    expect(page.get_by_label("Speed")).to_have_value("1.25")
    page.reload()
    expect(page.get_by_label("Speed")).to_have_value("1.25")


def test_the_download_menu_offers_every_format(page: Page) -> None:
    page.get_by_label("Download the recording").click()
    for name in ("MP3", "WAV", "Ogg Vorbis"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
