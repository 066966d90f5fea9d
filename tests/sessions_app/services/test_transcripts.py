"""When a transcript is complete."""

import pytest

from sessions_app.models import Track
from sessions_app.services import claims, session_end
from tests.sessions_app.services.calls import claim, event_types
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_session_without_speakers_is_complete_as_soon_as_it_ends(session):
    session_end(session=session)
    session.refresh_from_db()
    assert session.transcript_status == "complete"
    assert event_types(session) == ["session.ended", "transcript.ready"]
    ready = Event.objects.get(session_id=session.id, type="transcript.ready")
    assert "segments" not in ready.data


def test_the_last_owner_to_release_its_track_completes_the_transcript(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    session_end(session=session)
    claims.track_release(claim=customer, position=2.0)
    session.refresh_from_db()
    assert session.transcript_status == "in_progress"
    claims.track_release(claim=agent, position=3.0)
    session.refresh_from_db()
    assert (session.transcript_status, session.duration) == ("complete", 3.0)
    assert all(track.sealed_at for track in Track.objects.filter(session=session))


def test_the_transcript_waits_for_a_replaced_owner_that_still_writes(session):
    old = claim(session, "there")
    new = claim(session, "here")
    session_end(session=session)
    claims.track_release(claim=new, position=2.0)
    session.refresh_from_db()
    assert session.transcript_status == "in_progress"
    claims.track_release(claim=old, position=1.0)
    session.refresh_from_db()
    assert session.transcript_status == "complete"
