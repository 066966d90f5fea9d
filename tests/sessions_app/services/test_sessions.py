"""A session's own writes: its start and the pause of its recording."""

import datetime

import pytest

from sessions_app.services import session_end
from sessions_app.services.sessions import Zero, recording_pause_set, session_start
from tests.sessions_app.services.calls import claim, event_types

pytestmark = pytest.mark.django_db(transaction=True)

ARRIVED = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=datetime.UTC)


def test_the_first_audio_starts_the_session_and_sets_its_zero(session):
    zero = session_start(session_id=session.id, arrived_at=ARRIVED, media_zero_ms=40)
    session.refresh_from_db()
    assert (session.status, session.started_at) == ("active", ARRIVED)
    assert zero == Zero(ARRIVED, 40)
    assert event_types(session) == ["session.started"]


def test_when_two_servers_start_a_session_both_get_the_zero_of_the_first(session):
    session_start(session_id=session.id, arrived_at=ARRIVED)
    later = ARRIVED + datetime.timedelta(seconds=1)
    zero = session_start(session_id=session.id, arrived_at=later)
    assert zero is not None
    assert zero.started_at == ARRIVED
    assert event_types(session) == ["session.started"]


def test_an_ended_session_does_not_start(session):
    session_end(session=session)
    assert session_start(session_id=session.id, arrived_at=ARRIVED) is None


def test_a_pause_requested_twice_changes_the_row_once(session):
    assert recording_pause_set(session_id=session.id, paused=True)
    assert not recording_pause_set(session_id=session.id, paused=True)
    assert claim(session).paused
