"""Listening in on a live call in the browser."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from kallglot_site.accounts.models import AuditEntry
from sessions_app import runtime
from sessions_app.media import encode
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.browser.conftest import PHONE, WIDE, Window, accessibility_faults
from tests.conftest import Cast
from tests.factories import SessionFactory
from tests.fakes.audio import silence, speech
from tests.fakes.engines import FakeTranscriber

FRAME = 320  # samples: 40 ms at 8 kHz


class Party:
    """A party of the call. It sends audio in real time until it hangs up."""

    def __init__(self, address: str, session: Session, speaker: str) -> None:
        token, _ = stream_token_issue(session, None)
        url = f"ws{address.removeprefix('http')}/v1/sessions/{session.id}/connect"
        self._stack = ExitStack()
        opening = connect(f"{url}?token={token}&speaker={speaker}", proxy=None)
        self._socket = self._stack.enter_context(opening)
        self._voice = encode(speech(4.0, level=16000), "mulaw")
        self._silence = encode(silence(0.04), "mulaw")
        self.talks = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._over.wait(max(0.0, began + sent * 0.04 - time.monotonic())):
            at = sent * FRAME % (len(self._voice) - FRAME)
            payload = self._voice[at : at + FRAME] if self.talks else self._silence
            audio = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1}
            audio["payload"] = base64.b64encode(payload).decode()
            self.send(type="audio.input", audio=audio)
            sent += 1

    def send(self, **message: object) -> None:
        self._socket.send(json.dumps(message))

    def control(self, action: str) -> None:
        self.send(type="session.control", action=action)

    def hang_up(self) -> None:
        self._over.set()
        self._thread.join(5)
        self._stack.close()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcriber that returns no text."""
    monkeypatch.setattr(runtime, "transcriber_from_url", lambda *_: FakeTranscriber(default=""))
    monkeypatch.setattr(runtime, "_runtime", None)


@pytest.fixture
def session(cast: Cast, engine: None) -> Session:
    return SessionFactory.create(organization=cast.organization)


@pytest.fixture
def line(address: str, session: Session) -> Iterator[Callable[[str], Party]]:
    parties: list[Party] = []

    def dial(speaker: str) -> Party:
        parties.append(Party(address, session, speaker))
        return parties[-1]

    yield dial
    for party in parties:
        party.hang_up()


@contextmanager
def listening(window: Window, page: Page, session: Session) -> Iterator[None]:
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    page.get_by_role("button", name="Listen in").click()
    yield
    page.get_by_role("button", name="Stop listening").click()


def level(page: Page, party: str) -> float:
    """The level of the party on the page, from 0 to 1."""
    value: float = page.get_by_label(f"Level of the {party}").evaluate("meter => meter.value")
    return value


def loudest(page: Page, party: str, seconds: float = 1.0) -> float:
    levels: list[float] = []
    for _ in range(round(seconds / 0.05)):
        levels.append(level(page, party))
        page.wait_for_timeout(50)
    return max(levels)


def log_has(action: str) -> bool:
    return AuditEntry.objects.filter(action=action).exists()


def test_both_parties_are_heard_and_silence_is_shown(owner_window, session, line):
    window, page = owner_window
    line("agent")
    customer = line("customer")
    with listening(window, page, session):
        expect(page.get_by_role("status").filter(has_text="You hear the call")).to_be_visible()
        for party in ("agent", "customer"):
            expect(page.locator(f"#listen-{party} .party-state")).to_have_text("talking")
            assert loudest(page, party) > 0.4
        assert log_has("listen_in.started")
        customer.talks = False
        expect(page.locator("#listen-customer .party-state")).to_have_text("silent")
        assert loudest(page, "customer") < 0.1
        customer.control("mute")
        expect(page.locator("#listen-customer .party-state")).to_have_text("no audio")
        assert loudest(page, "agent") > 0.4
    expect(page.locator("#listen-panel")).to_be_hidden()
    page.wait_for_timeout(300)
    entry = AuditEntry.objects.get(action="listen_in.stopped")
    assert (entry.actor_email, entry.target) == ("owner@acme.example", session.id)


def test_the_page_plays_the_calls_audio(owner_window, session, line):
    """The samples that go to the loudspeaker, left and right."""
    window, page = owner_window
    page.add_init_script(
        """
        const connect = AudioNode.prototype.connect;
        AudioNode.prototype.connect = function (target, ...rest) {
          if (target instanceof AudioDestinationNode) {
            const splitter = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 });
            connect.call(this, splitter);
            window.sides = [0, 1].map((side) => {
              const analyser = new AnalyserNode(this.context, { fftSize: 8192 });
              connect.call(splitter, analyser, side);
              return analyser;
            });
          }
          return connect.call(this, target, ...rest);
        };
        window.loudness = () => sides.map((analyser) => {
          const samples = new Float32Array(analyser.fftSize);
          analyser.getFloatTimeDomainData(samples);
          return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
        });
        """
    )
    line("agent")
    with listening(window, page, session):
        expect(page.locator("#listen-agent .party-state")).to_have_text("talking")
        page.wait_for_timeout(1000)
        assert all(side > 0.02 for side in page.evaluate("loudness()"))
        page.get_by_label("Play", exact=True).select_option(label="Agent left, customer right")
        page.wait_for_timeout(1000)
        left, right = page.evaluate("loudness()")
        assert left > 0.02
        assert right == 0


def test_a_pause_is_silent_and_explained_and_the_end_stops_listening(owner_window, session, line):
    window, page = owner_window
    customer = line("customer")
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    button = page.get_by_role("button", name="Listen in")
    button.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#listen-panel")
    expect(page.locator("#listen-customer .party-state")).to_have_text("talking")
    customer.control("pause_recording")
    expect(panel).to_contain_text("The recording of this call is paused")
    page.wait_for_timeout(200)  # the meters are updated 20 times a second
    assert loudest(page, "customer", 0.5) == 0
    customer.control("resume_recording")
    expect(page.locator("#listen-customer .party-state")).to_have_text("talking")
    customer.send(type="session.end")
    expect(panel).to_contain_text("The call has ended.")
    expect(page.locator("#listen")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "listen-panel"


def test_a_broken_connection_is_shown_and_reopened(owner_window, session, line):
    window, page = owner_window
    routes = []

    def through(route) -> None:
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket("**/listen", through)
    line("customer")
    with listening(window, page, session):
        expect(page.locator("#listen-customer .party-state")).to_have_text("talking")
        routes[0].close(code=1012)
        expect(page.locator("#listen-panel")).to_contain_text("The connection was lost")
        expect(page.locator("#listen-panel")).to_contain_text("You hear the call")
        expect(page.locator("#listen-customer .party-state")).to_have_text("talking")


def test_reviewers_have_the_button_only_if_the_organization_allows_it(new_window, cast, session):
    window = new_window()
    window.sign_in_as(cast.teammate)
    page = window.page()
    page.goto(f"{window.address}/dashboard/sessions/{session.id}")
    expect(page.locator("#listen")).to_have_count(0)
    cast.organization.listen_in = "members"
    cast.organization.save()
    page.reload()
    expect(page.get_by_role("button", name="Listen in")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (PHONE, "dark")])
def test_the_page_has_no_faults_while_listening(new_window, cast, session, line, width, theme):
    window = new_window(width, theme)
    window.sign_in_as(cast.owner)
    page = window.page()
    line("agent")
    with listening(window, page, session):
        expect(page.locator("#listen-agent .party-state")).to_have_text("talking")
        assert accessibility_faults(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
