"""Claims, leases and take-over of tracks."""

import pytest
from django.utils import timezone

from sessions_app.models import Track
from sessions_app.services import claims, session_end
from sessions_app.services.claims import Beat, SessionGone
from tests.sessions_app.services.calls import claim, event_types, expire

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_claim_goes_on_at_the_end_of_the_track(session):
    first = claim(session)
    claims.track_release(claim=first, position=12.5)
    again = claim(session)
    assert (again.position, again.generation, again.handover) == (12.5, 2, False)


def test_a_claim_of_an_ended_or_erased_session_says_so(session):
    session_end(session=session)
    with pytest.raises(SessionGone) as ended:
        claim(session)
    assert ended.value.ended
    session.delete()
    with pytest.raises(SessionGone) as erased:
        claims.track_claim(session_id="sess_gone", speaker="agent", owner="x")
    assert not erased.value.ended


def test_beats_renew_leases_and_store_how_far_the_audio_is(session):
    held = claim(session)
    expire(held)
    assert claims.tracks_beat([Beat(held, 4.0, heard=True, replaced=False)]) == []
    track = Track.objects.get(id=held.track_id)
    session.refresh_from_db()
    assert track.lease_expires_at is not None
    assert track.lease_expires_at > timezone.now()
    assert track.position == session.duration == 4.0
    assert session.last_audio_at is not None


def test_a_beat_tells_an_owner_that_it_has_been_replaced(session):
    old = claim(session, "there")
    new = claim(session, "here")
    beats = [Beat(old, 9.0, True, False), Beat(new, 1.0, True, False)]
    assert claims.tracks_beat(beats) == [old.track_id]
    assert Track.objects.get(id=old.track_id).position == 1.0


def test_the_position_after_a_handover_is_known_once_the_old_owner_tells_it(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert claims.track_position_after_handover(new) is None
    claims.track_hand_over(claim=old, position=7.0)
    assert claims.track_position_after_handover(new) == 7.0


def test_the_provider_is_connected_while_anyone_speaks(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    claims.track_release(claim=customer, position=1.0)
    assert event_types(session) == ["session.provider.connected"]
    claims.track_release(claim=agent, position=1.0)
    assert event_types(session) == ["session.provider.connected", "session.provider.disconnected"]
