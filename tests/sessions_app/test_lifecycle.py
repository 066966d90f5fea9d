"""A running session's writes: its start, its segments, and what follows its end."""

import datetime

import pytest
from django.utils import timezone

from sessions_app import lifecycle
from sessions_app.lifecycle import SpokenSegment
from sessions_app.models import Segment, Session, Track
from sessions_app.services import session_end
from sessions_app.streaming import tracks
from sessions_app.streaming.events import FinalTranscript
from sessions_app.streaming.tracks import Beat, Claim, SessionGone
from tests.factories import SessionFactory
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

ARRIVED = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=datetime.UTC)


@pytest.fixture
def session() -> Session:
    return SessionFactory()


def claim(session: Session, owner: str = "here", speaker: str = "customer", **more: float) -> Claim:
    return tracks.track_claim(session_id=session.id, speaker=speaker, owner=owner, **more)  # type: ignore[arg-type]


def final(number: int, text: str = "Good morning.") -> FinalTranscript:
    return FinalTranscript(
        f"seg_{number}", "customer", "en", text, number * 2.0, number * 2.0 + 1.5, 0.9
    )


def say(held: Claim, *finals: FinalTranscript) -> list[Segment]:
    spoken = [SpokenSegment(held.track_id, held.generation, each) for each in finals]
    return lifecycle.segments_append(session_id=held.session_id, spoken=spoken)


def events(session: Session) -> list[str]:
    found = Event.objects.filter(session_id=session.id).order_by("sequence")
    return list(found.values_list("type", flat=True))


def lapse(held: Claim) -> None:
    """Its owner has died some time ago."""
    past = timezone.now() - datetime.timedelta(seconds=1)
    Track.objects.filter(id=held.track_id).update(lease_expires_at=past)


# --- start ---------------------------------------------------------------------------------------


def test_the_first_audio_starts_the_session_and_sets_its_zero(session):
    zero = lifecycle.session_start(session_id=session.id, arrived_at=ARRIVED, media_zero_ms=40)
    session.refresh_from_db()
    assert (session.status, session.started_at) == ("active", ARRIVED)
    assert zero == lifecycle.Zero(ARRIVED, 40)
    assert events(session) == ["session.started"]


def test_of_two_first_audios_the_loser_is_told_the_winners_zero(session):
    lifecycle.session_start(session_id=session.id, arrived_at=ARRIVED)
    later = ARRIVED + datetime.timedelta(seconds=1)
    zero = lifecycle.session_start(session_id=session.id, arrived_at=later)
    assert zero is not None
    assert zero.started_at == ARRIVED
    assert events(session) == ["session.started"]


def test_an_ended_session_does_not_start(session):
    session_end(session=session)
    assert lifecycle.session_start(session_id=session.id, arrived_at=ARRIVED) is None


# --- segments ------------------------------------------------------------------------------------


def test_segments_are_numbered_counted_and_told_in_order(session):
    held = claim(session)
    say(held, final(1), final(2, "Two words"))
    say(held, final(3, "And three words"))
    session.refresh_from_db()
    stored = Segment.objects.filter(session=session).order_by("sequence")
    assert [(each.sequence, each.id) for each in stored] == [
        (1, "seg_1"),
        (2, "seg_2"),
        (3, "seg_3"),
    ]
    assert (session.segment_count, session.word_count, session.duration) == (3, 7, 7.5)
    assert events(session)[-3:] == ["transcript.segment"] * 3
    last = Event.objects.filter(session_id=session.id).order_by("sequence").last()
    assert last is not None
    assert last.data["text"] == "And three words"


def test_storing_the_same_segment_again_changes_nothing(session):
    held = claim(session)
    say(held, final(1))
    assert say(held, final(1)) == []
    session.refresh_from_db()
    assert session.segment_count == 1


def test_segments_may_follow_the_end_until_the_transcript_is_complete(session):
    held = claim(session)
    session_end(session=session)
    assert say(held, final(1))
    tracks.track_release(claim=held, position=3.5)
    assert say(held, final(2)) == []
    assert events(session)[-3:] == ["session.ended", "transcript.segment", "transcript.ready"]


def test_an_owner_presumed_dead_cannot_write_into_what_went_on_without_it(session):
    dead = claim(session, "there")
    lapse(dead)
    alive = claim(session, "here")
    assert say(dead, final(1)) == []
    assert say(alive, final(2))


def test_a_replaced_owner_may_finish_what_it_had_heard(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert new.handover
    assert say(old, final(1))
    tracks.track_release(claim=old, position=3.5)
    assert say(old, final(2)) == []
    assert say(new, final(3))


# --- tracks --------------------------------------------------------------------------------------


def test_a_claim_goes_on_at_the_end_of_the_track(session):
    first = claim(session)
    tracks.track_release(claim=first, position=12.5)
    again = claim(session)
    assert (again.position, again.generation, again.handover) == (12.5, 2, False)


def test_a_claim_of_an_ended_or_erased_session_says_so(session):
    session_end(session=session)
    with pytest.raises(SessionGone) as ended:
        claim(session)
    assert ended.value.ended
    session.delete()
    with pytest.raises(SessionGone) as erased:
        tracks.track_claim(session_id="sess_gone", speaker="agent", owner="x")
    assert not erased.value.ended


def test_beats_renew_leases_and_store_how_far_the_audio_is(session):
    held = claim(session)
    lapse(held)
    assert tracks.tracks_beat([Beat(held, 4.0, heard=True, replaced=False)]) == []
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
    assert tracks.tracks_beat(beats) == [old.track_id]
    assert Track.objects.get(id=old.track_id).position == 1.0


def test_the_position_after_a_handover_is_known_once_the_old_owner_tells_it(session):
    old = claim(session, "there")
    new = claim(session, "here")
    assert tracks.track_position_after_handover(new) is None
    tracks.track_hand_over(claim=old, position=7.0)
    assert tracks.track_position_after_handover(new) == 7.0


def test_the_provider_is_connected_while_anyone_speaks(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    tracks.track_release(claim=customer, position=1.0)
    assert events(session) == ["session.provider.connected"]
    tracks.track_release(claim=agent, position=1.0)
    assert events(session) == ["session.provider.connected", "session.provider.disconnected"]


# --- the end -------------------------------------------------------------------------------------


def test_a_session_nobody_spoke_in_is_complete_as_soon_as_it_ends(session):
    session_end(session=session)
    session.refresh_from_db()
    assert session.transcript_status == "complete"
    assert events(session) == ["session.ended", "transcript.ready"]
    ready = Event.objects.get(session_id=session.id, type="transcript.ready")
    assert "segments" not in ready.data


def test_the_last_owner_out_completes_the_transcript(session):
    customer, agent = claim(session), claim(session, "there", "agent")
    session_end(session=session)
    tracks.track_release(claim=customer, position=2.0)
    session.refresh_from_db()
    assert session.transcript_status == "in_progress"
    tracks.track_release(claim=agent, position=3.0)
    session.refresh_from_db()
    assert (session.transcript_status, session.duration) == ("complete", 3.0)
    assert all(track.sealed_at for track in Track.objects.filter(session=session))


def test_the_transcript_waits_for_a_replaced_owner_that_still_writes(session):
    old = claim(session, "there")
    new = claim(session, "here")
    session_end(session=session)
    tracks.track_release(claim=new, position=2.0)
    session.refresh_from_db()
    assert session.transcript_status == "in_progress"
    tracks.track_release(claim=old, position=1.0)
    session.refresh_from_db()
    assert session.transcript_status == "complete"


def test_a_sweep_completes_what_a_dead_owner_left(session):
    held = claim(session)
    session_end(session=session)
    assert lifecycle.transcripts_complete_abandoned() == 0
    lapse(held)
    assert lifecycle.transcripts_complete_abandoned() == 1
    assert lifecycle.transcripts_complete_abandoned() == 0
    assert events(session).count("transcript.ready") == 1


# --- idle ----------------------------------------------------------------------------------------


def test_sessions_without_audio_for_too_long_end_by_timeout(settings):
    settings.SESSION_IDLE_TIMEOUT = 60
    long_ago = timezone.now() - datetime.timedelta(seconds=61)
    silent = SessionFactory(status="active", last_audio_at=long_ago)
    unconnected = SessionFactory(created_at=long_ago)
    talking = SessionFactory(status="active", created_at=long_ago, last_audio_at=timezone.now())
    fresh = SessionFactory()
    assert lifecycle.sessions_end_idle() == 2
    for each in (silent, unconnected):
        each.refresh_from_db()
        assert (each.status, each.end_reason) == ("ended", "timeout")
    for each in (talking, fresh):
        each.refresh_from_db()
        assert each.status != "ended"


def test_a_pause_is_wished_for_once(session):
    assert lifecycle.recording_pause_set(session_id=session.id, paused=True)
    assert not lifecycle.recording_pause_set(session_id=session.id, paused=True)
    assert claim(session).paused
