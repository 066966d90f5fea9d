"""Claims, leases and take-over of tracks."""

import pytest
from django.utils import timezone

from sessions_app.models import ReplacedOwner, Track
from sessions_app.services import claims, session_end
from sessions_app.services.claims import Beat, HandedOver, SessionGone
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


def test_what_the_replaced_owner_knows_is_there_once_it_has_handed_over(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert claims.track_handed_over(new) is None
    claims.track_hand_over(claim=old, position=7.0, told_sequence=3)
    assert claims.track_handed_over(new) == HandedOver(7.0, 3)


def test_an_owner_that_hands_over_late_takes_nothing_back(session):
    oldest, older = claim(session, "there"), claim(session, "there")
    newest = claim(session, "here")
    claims.track_hand_over(claim=older, position=7.0, told_sequence=3)
    claims.track_hand_over(claim=oldest, position=5.0, told_sequence=1)
    assert claims.track_handed_over(newest) == HandedOver(7.0, 3)


def test_nobody_waits_for_an_owner_that_died(session):
    old = claim(session, "there")
    expire(old)
    new = claim(session, "here")
    ReplacedOwner.objects.update(lease_expires_at=timezone.now())
    assert claims.track_handed_over(new) is not None


def test_what_a_client_was_told_and_its_switches_are_kept_for_its_next_connection(session):
    first = claim(session)
    claims.tracks_beat([Beat(first, 1.0, True, False, told_sequence=2)])
    claims.track_switch_set(claim=first, muted=True, transcription_paused=True)
    claims.tracks_beat([Beat(first, 1.0, True, False)])
    claims.track_release(claim=first, position=1.0)
    again = claim(session)
    assert (again.told_sequence, again.muted, again.transcription_paused) == (2, True, True)


def test_a_replaced_owner_changes_no_switch(session):
    old = claim(session, "there")
    claim(session, "here")
    claims.track_switch_set(claim=old, muted=True)
    assert not Track.objects.get(id=old.track_id).muted


def test_the_provider_is_connected_while_anyone_speaks(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    claims.track_release(claim=customer, position=1.0)
    assert event_types(session) == ["session.provider.connected"]
    claims.track_release(claim=agent, position=1.0)
    assert event_types(session) == ["session.provider.connected", "session.provider.disconnected"]


def test_a_provider_that_is_connected_at_the_end_is_disconnected_afterwards(session):
    held = claim(session)
    session_end(session=session)
    claims.track_release(claim=held, position=1.0)
    session.refresh_from_db()
    assert session.provider_status == "disconnected"
    assert "session.provider.disconnected" in event_types(session)
