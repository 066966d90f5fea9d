"""Nothing is kept longer than promised, and nothing is forgotten halfway."""

import datetime

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from recordings_app import sweeps
from recordings_app.media import storage
from recordings_app.models import Recording, Tombstone
from recordings_app.services import (
    recording_delete,
    recording_policy_set,
    session_recordings_create,
)
from recordings_app.spool.parts import local_parts
from recordings_app.tombstones import tombstones_carry_out
from sessions_app.services import session_erase
from tests.factories import recording_ready
from tests.recordings_app.audio import feed, voice


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


def test_past_retention_the_audio_goes_and_the_row_stays(recording, cast):
    other = recording_ready(cast.tenant)
    name = recording.files.get().name
    expire(recording)
    assert sweeps.recordings_purge_expired() == 1
    recording.refresh_from_db()
    other.refresh_from_db()
    assert (recording.status, other.status) == ("deleted", "ready")
    assert recording.deleted_at is not None
    assert not default_storage.exists(name)
    assert sweeps.recordings_purge_expired() == 0


def test_a_purge_that_dies_between_file_and_row_is_done_again(recording, monkeypatch):
    expire(recording)
    name = recording.files.get().name
    with monkeypatch.context() as patch:
        patch.setattr("recordings_app.services._mark_deleted", lambda recording: 1 / 0)
        assert sweeps.recordings_purge_expired() == 0
    assert not default_storage.exists(name)
    assert sweeps.recordings_purge_expired() == 1


def test_a_storage_that_is_away_delays_the_purge_and_stops_no_other(cast, recording, monkeypatch):
    other = recording_ready(cast.tenant)
    expire(recording)
    expire(other)
    real = storage.remove

    def away(name):
        if recording.id in name:
            raise OSError("away")
        real(name)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", away)
        assert sweeps.recordings_purge_expired() == 1
    recording.refresh_from_db()
    assert recording.status == "ready", "its audio is still there"
    assert sweeps.recordings_purge_expired() == 1


def test_deleting_now_survives_a_storage_that_is_away(recording, monkeypatch):
    name = recording.files.get().name
    recording_delete(recording=recording)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", lambda name: 1 / 0)
        assert tombstones_carry_out() == 0
    stone = Tombstone.objects.get(name=name)
    assert stone.attempts == 1
    assert stone.due_at > timezone.now()
    Tombstone.objects.update(due_at=timezone.now())
    assert tombstones_carry_out() == 1
    assert not default_storage.exists(name)


def test_erasing_a_session_takes_rows_files_and_spool(recording, tap_for, sealed):
    session = recording.session
    tap = tap_for(session.id)
    feed(tap, voice(1))
    sealed(tap)
    name = recording.files.get().name
    session_erase(session=session)
    assert not Recording.objects.exists()
    tombstones_carry_out()
    assert not default_storage.exists(name)
    assert local_parts(session.id) == []


def test_a_spool_that_turns_up_after_the_erasure_goes_too(recording, tap_for, sealed):
    session = recording.session
    session_erase(session=session)
    tombstones_carry_out()
    tap = tap_for(session.id)
    feed(tap, voice(1))
    sealed(tap)
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []


def test_a_line_nobody_spoke_on_leaves_nothing_behind(recorded_session, tap_for, sealed):
    session = recorded_session(status="ended", started_at=None, transcript_status="complete")
    sealed(tap_for(session.id))
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []
    assert not Recording.objects.exists()
