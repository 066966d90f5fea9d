"""Sweeps of sessions: idle ones end, abandoned transcripts are completed."""

import datetime

import pytest
from django.db import OperationalError
from django.utils import timezone

from sessions_app.models import Session, Track
from sessions_app.services import claims, session_end, sweeps
from sessions_app.services.claims import Beat
from sessions_app.services.transcripts import transcript_complete
from tests.factories import SessionFactory
from tests.sessions_app.services.calls import claim, die, event_types, expire

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_transcript_whose_owner_died_is_completed(session):
    held = claim(session)
    session_end(session=session)
    assert sweeps.claims_end_expired() == 0
    expire(held)
    assert sweeps.claims_end_expired() == 0  # the owner has time to renew
    die(held)
    assert sweeps.claims_end_expired() == 1
    assert sweeps.claims_end_expired() == 0
    assert event_types(session).count("transcript.ready") == 1


def test_an_owner_that_renews_in_time_keeps_its_claim(session):
    held = claim(session)
    expire(held)
    assert sweeps.claims_end_expired() == 0
    claims.tracks_beat([Beat(held, 1.0, heard=True, replaced=False)])
    expire(held)
    assert sweeps.claims_end_expired() == 0  # it expired again, so the time to renew starts again
    session_end(session=session)
    assert sweeps.transcripts_complete_abandoned() == 0


def test_the_provider_is_disconnected_when_the_last_owner_has_died(session):
    held = claim(session)
    die(held)
    assert sweeps.claims_end_expired() == 1
    session.refresh_from_db()
    assert (session.status, session.provider_status) == ("created", "disconnected")
    assert event_types(session)[-1] == "session.provider.disconnected"


def test_an_owner_that_lost_the_database_for_a_while_continues(session):
    held = claim(session)
    die(held)
    sweeps.claims_end_expired()
    assert claims.tracks_beat([Beat(held, 1.0, heard=True, replaced=False)]) == []
    session_end(session=session)
    assert not transcript_complete(session_id=session.id)
    claims.track_release(claim=held, position=1.0)
    session.refresh_from_db()
    assert session.transcript_status == "complete"


def test_sessions_without_audio_for_too_long_end_by_timeout(settings):
    settings.SESSION_IDLE_TIMEOUT = 60
    long_ago = timezone.now() - datetime.timedelta(seconds=61)
    silent = SessionFactory(status="active", last_audio_at=long_ago)
    unconnected = SessionFactory(created_at=long_ago)
    talking = SessionFactory(status="active", created_at=long_ago, last_audio_at=timezone.now())
    fresh = SessionFactory()
    assert sweeps.sessions_end_idle() == 2
    for each in (silent, unconnected):
        each.refresh_from_db()
        assert (each.status, each.end_reason) == ("ended", "timeout")
    for each in (talking, fresh):
        each.refresh_from_db()
        assert each.status != "ended"


def test_a_session_that_cannot_be_ended_does_not_stop_the_sweep(settings, monkeypatch):
    settings.SESSION_IDLE_TIMEOUT = 60
    long_ago = timezone.now() - datetime.timedelta(seconds=61)
    broken, other = (SessionFactory(created_at=long_ago) for _ in range(2))

    def end(*, session: Session, reason: str) -> Session:
        if session.id == broken.id:
            raise OperationalError("this row is damaged")
        return session_end(session=session, reason=reason)

    monkeypatch.setattr(sweeps, "session_end", end)
    assert sweeps.sessions_end_idle() == 1
    other.refresh_from_db()
    assert other.status == "ended"


def test_a_transcript_that_cannot_be_completed_does_not_stop_the_sweep(session, monkeypatch):
    other = SessionFactory()
    held = [claim(session), claim(other)]
    for each in (session, other):
        session_end(session=each)
    for each in held:
        Track.objects.filter(id=each.track_id).update(owner="")

    def fail_for_the_first(*, session_id: str) -> bool:
        if session_id == session.id:
            raise OperationalError("this row is damaged")
        return transcript_complete(session_id=session_id)

    monkeypatch.setattr(sweeps, "transcript_complete", fail_for_the_first)
    assert sweeps.transcripts_complete_abandoned() == 1
    other.refresh_from_db()
    assert other.transcript_status == "complete"
