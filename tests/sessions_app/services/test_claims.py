"""Claims, leases and take-over of tracks."""

from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import ReplacedOwner, Track
from sessions_app.services import claims, session_end
from sessions_app.services.claims import Beat, HandedOver, SessionGone
from tests.sessions_app.services.calls import claim, event_types, expire

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_claim_continues_at_the_end_of_the_track(session):
    first = claim(session)
    claims.track_release(claim=first, position=12.5)
    again = claim(session)
    assert (again.position, again.generation, again.handover) == (12.5, 2, False)


def test_claiming_a_track_of_an_ended_or_erased_session_raises_session_gone(session):
    session_end(session=session)
    with pytest.raises(SessionGone) as ended:
        claim(session)
    assert ended.value.ended
    session.delete()
    with pytest.raises(SessionGone) as erased:
        claims.track_claim(session_id="sess_gone", speaker="agent", owner="x")
    assert not erased.value.ended


def test_beats_renew_leases_and_store_the_audio_position(session):
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


def test_a_replaced_owner_s_position_is_available_after_its_handover(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert claims.track_handed_over(new) is None
    claims.track_hand_over(claim=old, position=7.0, told_sequence=3)
    assert claims.track_handed_over(new) == HandedOver(
        7.0, 3, muted=False, transcription_paused=False
    )


def test_a_late_handover_does_not_lower_the_position(session):
    oldest, older = claim(session, "there"), claim(session, "there")
    newest = claim(session, "here")
    claims.track_hand_over(claim=older, position=7.0, told_sequence=3)
    claims.track_hand_over(claim=oldest, position=5.0, told_sequence=1)
    assert claims.track_handed_over(newest) == HandedOver(
        7.0, 3, muted=False, transcription_paused=False
    )


def test_a_new_owner_does_not_wait_for_the_handover_of_a_dead_owner(session):
    old = claim(session, "there")
    expire(old)
    new = claim(session, "here")
    ReplacedOwner.objects.update(lease_expires_at=timezone.now())
    assert claims.track_handed_over(new) is not None


def test_told_sequence_and_switches_are_kept_for_the_client_s_next_connection(session):
    first = claim(session)
    claims.tracks_beat([Beat(first, 1.0, True, False, told_sequence=2)])
    claims.track_switch_set(claim=first, muted=True, transcription_paused=True)
    claims.tracks_beat([Beat(first, 1.0, True, False)])
    claims.track_release(claim=first, position=1.0)
    again = claim(session)
    assert (again.told_sequence, again.muted, again.transcription_paused) == (2, True, True)


@pytest.mark.parametrize("leave", [claims.track_hand_over, claims.track_release])
def test_a_switch_that_was_not_stored_before_a_take_over_reaches_the_new_owner(session, leave):
    old = claim(session, "there")
    new = claim(session, "here")
    leave(claim=old, position=7.0, told_sequence=None, switches={"muted": True})
    handed_over = claims.track_handed_over(new)
    assert handed_over is not None
    assert (handed_over.muted, handed_over.transcription_paused) == (True, False)


def test_a_switch_that_is_stored_after_the_take_over_reaches_the_new_owner(session):
    old = claim(session, "there")
    new = claim(session, "here")
    claims.track_switch_set(claim=old, transcription_paused=True)
    claims.track_hand_over(claim=old, position=7.0, told_sequence=None)
    handed_over = claims.track_handed_over(new)
    assert handed_over is not None
    assert handed_over.transcription_paused


def test_a_replaced_owner_changes_no_switch_once_it_has_handed_over(session):
    old = claim(session, "there")
    claim(session, "here")
    claims.track_hand_over(claim=old, position=7.0, told_sequence=None)
    claims.track_switch_set(claim=old, muted=True)
    assert not Track.objects.get(id=old.track_id).muted


@pytest.mark.parametrize("leave", [claims.track_hand_over, claims.track_release])
def test_what_the_client_of_the_new_owner_has_switched_is_kept(session, leave):
    old = claim(session, "there")
    new = claim(session, "here")
    claims.track_switch_set(claim=new, muted=False)
    leave(claim=old, position=7.0, told_sequence=None, switches={"muted": True})
    assert not Track.objects.get(id=old.track_id).muted


def test_a_claim_does_not_undo_a_switch_that_is_stored_meanwhile(session, monkeypatch):
    held = claim(session)
    get = Track.objects.get_or_create

    def get_and_switch(**which: Any) -> Any:
        found = get(**which)
        Track.objects.filter(id=held.track_id).update(muted=True, told_sequence=4)
        return found

    monkeypatch.setattr(Track.objects, "get_or_create", get_and_switch)
    again = claim(session)
    assert (again.muted, again.told_sequence) == (True, 4)
    assert Track.objects.get(id=held.track_id).muted


def test_the_provider_stays_connected_while_any_track_is_claimed(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    claims.track_release(claim=customer, position=1.0)
    assert event_types(session) == ["session.provider.connected"]
    claims.track_release(claim=agent, position=1.0)
    assert event_types(session) == ["session.provider.connected", "session.provider.disconnected"]


def test_ending_the_session_disconnects_the_provider_when_its_claim_is_released(session):
    held = claim(session)
    session_end(session=session)
    claims.track_release(claim=held, position=1.0)
    session.refresh_from_db()
    assert session.provider_status == "disconnected"
    assert "session.provider.disconnected" in event_types(session)


def test_a_session_lasts_until_the_end_of_what_was_spoken_to_a_party(session):
    held = claims.track_claim(session_id=session.id, speaker="customer", owner="one")
    claims.tracks_beat([Beat(held, 4.0, heard=True, replaced=False, latest=5.5)])
    session.refresh_from_db()
    assert session.duration == 5.5
    claims.track_release(claim=held, position=4.0, latest=6.0)
    session.refresh_from_db()
    assert session.duration == 6.0
    assert Track.objects.get().position == 4.0, "the party's own next audio belongs here"
