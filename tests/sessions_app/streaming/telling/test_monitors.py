"""Monitors in this process and in others; tracks without monitors have no tap."""

from collections.abc import Collection

import pytest

from sessions_app.media import PlacedFrame
from sessions_app.streaming.hearing.taps import AudioTap
from sessions_app.streaming.telling import monitors as monitoring
from sessions_app.streaming.telling.monitors import LEASE, Audience, Monitors
from sessions_app.streaming.telling.relay import frame_from_wire, frame_to_wire
from tests.fakes.audio import frames, speech
from tests.fakes.clock import VirtualClock, settle

CALL = "sess_a"
(FRAME,) = frames(speech(0.1))


class Network:
    """Relays of several processes, connected. A process that ``dies`` sends nothing more."""

    def __init__(self) -> None:
        self.relays: dict[str, FakeRelay] = {}


class FakeRelay:
    def __init__(self, network: Network, name: str, monitors: Monitors) -> None:
        self.monitors = monitors
        self.announced: list[list[str]] = []
        self.sent: list[str] = []
        self.dead = False
        self._network, self._name = network, name
        network.relays[name] = self

    def start(self) -> None:
        pass

    def announce(self, session_ids: Collection[str]) -> None:
        if self.dead:
            return
        self.announced.append(list(session_ids))
        for name, relay in self._network.relays.items():
            if name != self._name:
                relay.monitors.heard_announcement(self._name, session_ids)

    def send(self, process: str, session_id: str, frame: PlacedFrame) -> None:
        self.sent.append(process)
        heard = frame_from_wire(frame_to_wire(session_id, frame))
        assert heard is not None
        self._network.relays[process].monitors.heard_audio(*heard)

    async def close(self) -> None:
        pass


class Ear:
    def __init__(self) -> None:
        self.heard: list[PlacedFrame] = []
        self.sent_away = False

    def go_away(self) -> None:
        self.sent_away = True

    def hear(self, frame: PlacedFrame) -> None:
        self.heard.append(frame)


class FakeTrack:
    def __init__(self) -> None:
        self.tap: AudioTap | None = None

    def listen_in(self, tap: AudioTap | None) -> None:
        self.tap = tap

    def say(self, frame: PlacedFrame = FRAME) -> None:
        if self.tap is not None:
            self.tap.write(frame)


class FakeSession:
    """A live session as far as listening in goes: its audience, and its tracks."""

    def __init__(self, session_id: str, monitors: Monitors) -> None:
        self.tracks: list[FakeTrack] = []
        self.audience = Audience(session_id, monitors, self._set_taps)

    def _set_taps(self) -> None:
        for track in self.tracks:
            track.listen_in(None if self.audience.is_empty else self.audience)

    def add(self, track: FakeTrack) -> None:
        self.tracks.append(track)
        self._set_taps()


class Process:
    """A gateway as far as listening in goes."""

    def __init__(self, network: Network, name: str, clock: VirtualClock) -> None:
        self.sessions: dict[str, FakeSession] = {}
        self.monitors = Monitors(
            lambda monitors: FakeRelay(network, name, monitors), clock, self.sessions
        )
        self.relay = network.relays[name]

    def session(self, session_id: str = CALL) -> FakeSession:
        if session_id not in self.sessions:
            self.sessions[session_id] = FakeSession(session_id, self.monitors)
        return self.sessions[session_id]

    def track(self, session_id: str = CALL) -> FakeTrack:
        track = FakeTrack()
        self.session(session_id).add(track)
        return track

    def listen(self, session_id: str = CALL) -> Ear:
        ear = Ear()
        self.session(session_id).audience.join(ear)
        return ear

    def leave(self, ear: Ear, session_id: str = CALL) -> None:
        self.session(session_id).audience.leave(ear)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def here(network: Network, clock: VirtualClock) -> Process:
    return Process(network, "here", clock)


@pytest.fixture
def there(network: Network, clock: VirtualClock) -> Process:
    return Process(network, "there", clock)


@pytest.fixture
def network() -> Network:
    return Network()


async def test_a_track_is_tapped_only_while_a_monitor_listens(here):
    track = here.track()
    assert track.tap is None
    ear = here.listen()
    assert track.tap is not None
    here.leave(ear)
    assert track.tap is None


async def test_a_monitor_hears_both_parties_of_its_call_only(here):
    agent, customer, stranger = here.track(), here.track(), here.track("sess_b")
    ear = here.listen()
    for track in (agent, customer, stranger):
        track.say()
    assert ear.heard == [FRAME, FRAME]
    assert stranger.tap is None


async def test_a_party_that_joins_later_is_heard(here):
    ear = here.listen()
    here.track().say()
    assert ear.heard == [FRAME]


async def test_a_call_on_another_server_is_heard_after_the_first_announcement(here, there):
    track = there.track()
    ear = here.listen()
    track.say()
    assert ear.heard == [FRAME]
    assert there.relay.sent == ["here"]


async def test_audio_is_sent_only_to_servers_with_a_monitor(network, clock, here, there):
    third = Process(network, "third", clock)
    track = there.track()
    here.listen()
    third.listen("sess_b")
    track.say()
    assert there.relay.sent == ["here"]


async def test_the_last_monitor_that_leaves_stops_the_audio_at_once(here, there):
    track = there.track()
    ear = here.listen()
    here.leave(ear)
    assert track.tap is None


async def test_the_second_of_two_monitors_still_hears_after_the_first_has_left(here, there):
    track = there.track()
    first, second = here.listen(), here.listen()
    here.leave(first)
    track.say()
    assert (first.heard, second.heard) == ([], [FRAME])


async def test_announcements_repeat_as_long_as_a_monitor_listens(clock, here, there):
    track = there.track()
    ear = here.listen()
    await clock.advance(10 * LEASE)
    track.say()
    assert ear.heard == [FRAME]


async def test_a_dead_server_gets_no_audio_after_its_lease(clock, here, there):
    track = there.track()
    here.listen()
    here.relay.dead = True
    await clock.advance(LEASE - 1.5)
    assert track.tap is not None
    await clock.advance(2.5)
    assert track.tap is None
    track.say()
    assert there.relay.sent == []


async def test_a_call_taken_over_by_another_server_is_still_heard(network, clock, here, there):
    before = there.track()
    ear = here.listen()
    before.say()
    successor = Process(network, "successor", clock)
    await clock.advance(monitoring.ANNOUNCE_EVERY)  # it is there for the next announcement
    there.session().tracks.remove(before)
    before.listen_in(None)
    after = successor.track()
    after.say()
    assert ear.heard == [FRAME, FRAME]
    assert before.tap is None


async def test_audio_from_another_server_is_not_forwarded(network, clock, here, there):
    third = Process(network, "third", clock)
    ears = [here.listen(), third.listen()]
    there.track().say()
    assert [len(ear.heard) for ear in ears] == [1, 1]
    assert here.relay.sent == third.relay.sent == []


async def test_a_process_without_monitors_announces_nothing(clock, here):
    here.track()
    await clock.advance(60)
    assert here.relay.announced == []
    ear = here.listen()
    here.leave(ear)
    await clock.advance(60)
    told = len(here.relay.announced)
    await clock.advance(60)
    await settle()
    assert len(here.relay.announced) == told
    assert here.monitors._keeper is not None
    assert here.monitors._keeper.done()


async def test_the_number_of_monitors_in_one_process_is_limited(here, monkeypatch):
    monkeypatch.setattr(monitoring, "MAX_MONITORS", 2)
    ear = here.listen()
    assert not here.monitors.is_full
    here.listen("sess_b")
    assert here.monitors.is_full
    here.leave(ear)
    here.leave(ear)  # is counted once
    assert here.monitors._here == 1


async def test_a_draining_process_asks_all_monitors_to_leave_including_late_ones(here):
    early = here.listen()
    here.monitors.drain()
    late = here.listen("sess_b")
    assert early.sent_away
    assert late.sent_away
    assert not here.monitors.is_empty


def test_a_frame_survives_the_round_trip_to_another_process():
    assert frame_from_wire(frame_to_wire(CALL, FRAME)) == (CALL, FRAME)


@pytest.mark.parametrize("data", [[], [CALL, "agent", "opus", 48000, 0.0, 0.1, b"x"]])
def test_a_frame_in_a_newer_server_s_format_is_ignored(data):
    assert frame_from_wire(data) is None
