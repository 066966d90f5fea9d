"""Spools that are incomplete, come late, or have no session."""

import datetime

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from kallglot_site.api.ids import new_id
from recordings_app import assembly, sweeps
from recordings_app.assembly import session_assemble
from recordings_app.deletions import deletions_run_due
from recordings_app.models import Assembly, Recording
from recordings_app.spool.parts import local_parts
from sessions_app.services import session_end
from sessions_app.services.transcripts import transcript_complete
from tests.recordings_app.audio import feed, voice
from tests.recordings_app.calls import end, make_due

pytestmark = pytest.mark.django_db(transaction=True)


def test_nothing_is_assembled_before_the_tracks_are_sealed(call, recorded_session):
    session = call()
    session.tracks.create(
        speaker="agent",
        owner="gateway",
        lease_expires_at=timezone.now() + datetime.timedelta(minutes=1),
    )
    end(session)
    assert not session_assemble(session_id=session.id)
    assert Assembly.objects.get().status == "waiting"


def test_a_part_that_is_still_being_written_is_waited_for(call, tap_for, sealed):
    session = call()
    late = tap_for(session.id, "agent", generation=2)
    end(session)
    assert not session_assemble(session_id=session.id)
    waiting = Assembly.objects.get()
    assert (waiting.status, waiting.lease, waiting.attempts) == ("due", "", 0)
    feed(late, voice(1), at=7.0, speaker="agent")
    sealed(late)
    make_due()
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id) == []


def test_audio_of_a_hanging_owner_is_added_later(call, tap_for, sealed):
    session = call(channels="mixed")
    hanging = tap_for(session.id, "agent", generation=2)
    end(session)
    assert not session_assemble(session_id=session.id)
    Assembly.objects.update(waiting_since=timezone.now() - assembly.GRACE * 2)
    make_due()
    assert session_assemble(session_id=session.id)
    first = Recording.objects.get().files.get()
    assert Assembly.objects.get().incomplete
    assert sweeps.spool_leftovers_adopt() == 0, "it still hangs"
    feed(hanging, voice(2, seed=9), at=8.0, speaker="agent")
    sealed(hanging)
    assert sweeps.spool_leftovers_adopt() == 1
    assert session_assemble(session_id=session.id)
    recording = Recording.objects.get()
    assert recording.duration == pytest.approx(10)
    assert recording.files.get().id != first.id
    assert local_parts(session.id) == []
    deletions_run_due()
    assert not default_storage.exists(first.name)


def test_a_spool_without_an_assembly_gets_one(call):
    session = call()
    session_end(session=session)
    Assembly.objects.all().delete()
    Recording.objects.all().delete()
    transcript_complete(session_id=session.id)
    assert sweeps.spool_leftovers_adopt() == 1
    assert session_assemble(session_id=session.id)
    assert Recording.objects.filter(status="ready").count() == 3


def test_a_spool_whose_session_is_unknown_is_kept(tap_for, sealed):
    unknown = new_id("sess")
    tap = tap_for(unknown)
    feed(tap, voice(1))
    sealed(tap)
    sweeps.spool_leftovers_adopt()
    assert local_parts(unknown)


def test_a_running_session_is_left_alone_by_the_sweep(call):
    session = call()
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id)
    assert not Assembly.objects.exists()
