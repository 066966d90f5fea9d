"""Whether the tracks of one process are paused while requests and other servers cross."""

import pytest

from sessions_app.live_events import SessionPaused, SessionResumed
from sessions_app.session_view import SessionState, SessionView
from sessions_app.streaming.live import pause
from sessions_app.streaming.live.pause import RecordingPause


class Client:
    def __init__(self) -> None:
        self.told: list[type] = []

    def say(self, message: SessionPaused | SessionResumed) -> None:
        self.told.append(type(message))


class Row:
    """The session's row, and a pause of this process that reads it.

    ``crossing``: what another server writes right after this one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paused = False
        self.crossing: list[bool] = []
        self.pause = RecordingPause("sess_1", list, self.refresh)
        monkeypatch.setattr(pause, "in_database", self._write)

    async def _write(self, work: object, *, session_id: str, paused: bool) -> None:
        self.paused = self.crossing.pop() if self.crossing else paused

    async def refresh(self) -> None:
        state = SessionState("active", None, 0.0, 0, self.paused, "in_progress")
        self.pause.observe(SessionView(state, (), ()))


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Row:
    return Row(monkeypatch)


@pytest.fixture
def client(row: Row) -> Client:
    client = Client()
    row.pause.follow(client, paused=False)
    return client


async def test_a_pause_that_another_server_ends_at_once_does_not_stay(row, client):
    row.crossing = [False]
    store, _ = row.pause.ask_pause(client)
    await store()
    assert not row.pause.active
    assert client.told == [SessionResumed]


async def test_nobody_is_told_of_an_end_that_does_not_hold_here_yet(row, client):
    store, _ = row.pause.ask_pause(client)
    other = Client()
    row.pause.follow(other, paused=True)
    await row.refresh()
    assert row.pause.active
    assert (client.told, other.told) == ([], [])
    await store()
    assert client.told == [SessionPaused]
