"""Retention and deletion: nothing is kept too long, and no deletion is forgotten."""

import datetime

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from recordings_app import deletions, sweeps
from recordings_app.deletions import deletions_run_due, deletions_schedule
from recordings_app.media import storage
from recordings_app.models import Deletion, Recording
from recordings_app.services import (
    recording_delete,
    recording_policy_set,
    session_recordings_create,
)
from recordings_app.spool.parts import local_parts
from sessions_app.services import session_erase
from tests.factories import recording_ready
from tests.recordings_app.audio import feed, voice
from tests.recordings_app.calls import make_due


@pytest.fixture
def recording(cast):
    return recording_ready(cast.tenant)


def expire(recording):
    past = timezone.now() - datetime.timedelta(seconds=1)
    Recording.objects.filter(pk=recording.pk).update(expires_at=past)


def test_recordings_are_kept_for_thirty_days_unless_said_otherwise(
    cast, recorded_session, settings
):
    def kept(session):
        session_recordings_create(session=session)
        return (Recording.objects.get(session=session).expires_at - session.ended_at).days

    ended = {"status": "ended", "ended_at": timezone.now(), "channels": "mixed"}
    assert kept(recorded_session(**ended)) == 30
    recording_policy_set(organization=cast.organization, retention_days=7)
    assert kept(recorded_session(**ended)) == 7
    assert kept(recorded_session(tenant=cast.other_tenant, **ended)) == 30
    settings.RECORDING_RETENTION_DAYS = 90
    assert kept(recorded_session(tenant=cast.other_tenant, **ended)) == 90


def test_past_retention_the_audio_is_deleted_and_the_row_kept(recording, cast):
    other = recording_ready(cast.tenant)
    name = recording.files.get().name
    expire(recording)
    assert sweeps.recordings_expire() == 1
    deletions_run_due()
    recording.refresh_from_db()
    other.refresh_from_db()
    assert (recording.status, other.status) == ("deleted", "ready")
    assert recording.deleted_at is not None
    assert not default_storage.exists(name)
    assert sweeps.recordings_expire() == 0


def test_a_storage_that_is_away_delays_one_deletion_and_stops_no_other(
    cast, recording, monkeypatch
):
    other = recording_ready(cast.tenant)
    kept, gone = recording.files.get().name, other.files.get().name
    expire(recording)
    expire(other)
    real = storage.remove

    def away(name):
        if name == kept:
            raise OSError("away")
        real(name)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", away)
        assert sweeps.recordings_expire() == 2
        deletions_run_due()
    assert (default_storage.exists(kept), default_storage.exists(gone)) == (True, False)
    make_due(Deletion)
    deletions_run_due()
    assert not default_storage.exists(kept)


def test_recordings_that_cannot_be_deleted_do_not_keep_the_others(cast, recording, monkeypatch):
    stuck = [recording_ready(cast.tenant) for _ in range(2)]
    for each in [*stuck, recording]:
        expire(each)
    real = recording_delete

    def refuse(*, recording):
        if recording in stuck:
            raise OSError("cannot be deleted")
        real(recording=recording)

    monkeypatch.setattr(sweeps, "recording_delete", refuse)
    monkeypatch.setattr(sweeps, "SWEEP_SIZE", len(stuck))
    assert sweeps.recordings_expire() == 1
    recording.refresh_from_db()
    assert recording.status == "deleted"


def test_spools_looked_for_again_delay_no_file(db, monkeypatch):
    for number in range(3):
        deletions_schedule(names=[f"sess_{number}"], kind=Deletion.Kind.SPOOL)
    deletions_schedule(names=["late/file.mp3"])
    removed: list[str] = []
    monkeypatch.setattr(storage, "remove", removed.append)
    monkeypatch.setattr(deletions, "spool_remove", removed.append)
    deletions.deletions_run_due()
    assert removed[0] == "late/file.mp3"
    assert len(removed) == 4
    spools = Deletion.objects.filter(kind="spool")
    assert all(each.due_at > timezone.now() and each.attempts == 0 for each in spools)


def test_a_deletion_is_repeated_when_the_storage_is_back(recording, monkeypatch):
    name = recording.files.get().name
    recording_delete(recording=recording)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", lambda name: 1 / 0)
        deletions_run_due()
    scheduled = Deletion.objects.get(name=name)
    assert scheduled.attempts == 1
    assert scheduled.due_at > timezone.now()
    make_due(Deletion)
    deletions_run_due()
    assert not default_storage.exists(name)


def test_erasing_a_session_deletes_rows_files_and_spool(recording, tap_for, sealed):
    session = recording.session
    tap = tap_for(session.id)
    feed(tap, voice(1))
    sealed(tap)
    name = recording.files.get().name
    session_erase(session=session)
    assert not Recording.objects.exists()
    deletions_run_due()
    assert not default_storage.exists(name)
    assert local_parts(session.id) == []


def test_a_spool_that_comes_back_after_the_erasure_is_deleted(recording, tap_for, sealed):
    session = recording.session
    session_erase(session=session)
    deletions_run_due()
    tap = tap_for(session.id)
    feed(tap, voice(1))
    sealed(tap)
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []


def test_a_call_without_speech_leaves_no_spool(recorded_session, tap_for, sealed):
    session = recorded_session(status="ended", started_at=None, transcript_status="complete")
    sealed(tap_for(session.id))
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []
    assert not Recording.objects.exists()
