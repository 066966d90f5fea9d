"""Assembly when a worker, disk or key fails, or the call is deleted."""

import datetime
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from recordings_app import assembly, sweeps
from recordings_app.assembly import session_assemble
from recordings_app.deletions import ADOPTION, deletions_run_due
from recordings_app.media import storage
from recordings_app.models import Assembly, Deletion, Recording, RecordingFile
from recordings_app.queues import ASSEMBLIES
from recordings_app.services import assembly_retry, recording_delete
from recordings_app.spool.parts import local_parts, part_path, session_directory
from sessions_app.services import session_erase
from tests.fakes.metrics import counted
from tests.recordings_app.calls import content, end, make_due, stored_files
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_spool_is_deleted_only_after_the_stored_files_are_verified(call, monkeypatch):
    session = call()
    end(session)
    real = storage.store

    def lossy(name, data, *, content_type):
        encrypted = real(name, data, content_type=content_type)
        with Path(default_storage.path(name)).open("r+b") as file:
            file.seek(3000)
            file.write(b"\0\0\0\0rotten")
        return encrypted

    monkeypatch.setattr(storage, "store", lossy)
    assert not session_assemble(session_id=session.id)
    assert local_parts(session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"processing"}
    monkeypatch.undo()
    make_due()
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id) == []
    assert not session_directory(session.id).exists()


def test_a_worker_killed_after_storing_leaves_the_spool_and_no_file(call, monkeypatch, data_dir):
    session = call()
    end(session)

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(assembly, "_commit", die)
    with pytest.raises(Killed):
        session_assemble(session_id=session.id)
    monkeypatch.undo()
    assert not session_assemble(session_id=session.id), "the lease is still the dead worker's"
    make_due(Assembly)
    assert session_assemble(session_id=session.id)
    assert len(stored_files(data_dir)) == 6
    make_due(Deletion)
    deletions_run_due()
    assert len(stored_files(data_dir)) == 3
    assert all(content(recording) for recording in Recording.objects.all())


def test_a_worker_that_lost_its_lease_commits_nothing(call, monkeypatch):
    session = call()
    end(session)
    real = assembly._commit

    def slow(*args):
        Assembly.objects.update(lease="another")
        real(*args)

    monkeypatch.setattr(assembly, "_commit", slow)
    assert not session_assemble(session_id=session.id)
    assert not RecordingFile.objects.exists()
    assert local_parts(session.id)
    assert not Event.objects.filter(type="recording.ready").exists()


def test_the_sweep_deletes_the_spool_of_a_worker_killed_before_that(call, monkeypatch):
    session = call()
    end(session)
    monkeypatch.setattr(assembly, "parts_remove", lambda *args: None)
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id)
    monkeypatch.undo()
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []


def test_a_session_fails_after_its_last_attempt_and_keeps_the_spool(call, monkeypatch):
    session = call()
    end(session)

    def broken(*args, **kwargs):
        raise RuntimeError("no codec")

    monkeypatch.setattr(assembly, "make", broken)
    for _ in range(ASSEMBLIES.max_attempts):
        make_due()
        assert not session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}
    assert Event.objects.filter(type="recording.failed").count() == 3
    assert local_parts(session.id)
    monkeypatch.undo()
    assert assembly_retry(session_id=session.id)
    assert session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"ready"}


def test_a_session_whose_worker_is_killed_each_time_fails_and_says_so(call, monkeypatch):
    session = call()
    end(session)

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(assembly, "make", die)
    for _ in range(ASSEMBLIES.max_attempts):
        with pytest.raises(Killed):
            session_assemble(session_id=session.id)
        make_due()
    assert not session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}
    assert Event.objects.filter(type="recording.failed").count() == 3
    assert local_parts(session.id), "the spool is kept for another try"


def test_a_recording_cut_short_by_a_full_disk_is_failed_with_what_there_is_kept(call):
    session = call()
    part = part_path(session.id, local_parts(session.id)[0])
    data = bytearray(part.read_bytes())
    data[7] = 1
    part.write_bytes(bytes(data))
    end(session)
    assert session_assemble(session_id=session.id)
    for recording in Recording.objects.all():
        assert recording.status == "failed"
        assert recording.failure
        assert content(recording)
    assert Event.objects.filter(type="recording.failed").count() == 3


def test_recordings_that_fail_are_counted_once(call, monkeypatch):
    session = call()
    end(session)

    def fail(*args, **kwargs):
        raise OSError("storage is away")

    monkeypatch.setattr(storage, "store", fail)
    with counted("kallglot_recordings_finished_total") as finished:
        for _ in range(ASSEMBLIES.max_attempts + 1):
            session_assemble(session_id=session.id)
            make_due()
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}
    assert finished == {("failed",): 3}


def test_no_spool_at_all_is_a_failure_and_not_a_silent_file(recorded_session):
    session = recorded_session(duration=3.0)
    end(session)
    session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}


def test_the_wrong_media_key_fails_the_recording_and_keeps_the_spool(call, settings):
    settings.MEDIA_KEY = "a key"
    session = call()
    settings.MEDIA_KEY = "another"
    end(session)
    assert not session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}
    settings.MEDIA_KEY = "a key"
    assert assembly_retry(session_id=session.id)
    assert session_assemble(session_id=session.id)


def test_a_recording_deleted_while_it_is_made_stays_deleted(call, monkeypatch, data_dir):
    session = call()
    end(session)
    real = assembly._commit

    def after_deletion(*args):
        recording_delete(recording=Recording.objects.get(channel="agent"))
        real(*args)

    monkeypatch.setattr(assembly, "_commit", after_deletion)
    assert session_assemble(session_id=session.id)
    assert Recording.objects.get(channel="agent").status == "deleted"
    assert Recording.objects.get(channel="mixed").status == "ready"
    make_due()
    deletions_run_due()
    assert len(stored_files(data_dir)) == 2


def test_a_session_erased_while_being_made_leaves_nothing(call, monkeypatch, data_dir):
    session = call()
    end(session)
    real = assembly._commit

    def after_erasure(*args):
        session_erase(session=session)
        real(*args)

    monkeypatch.setattr(assembly, "_commit", after_erasure)
    assert not session_assemble(session_id=session.id)
    make_due()
    deletions_run_due()
    assert stored_files(data_dir) == []
    assert local_parts(session.id) == []


def test_a_file_has_a_scheduled_deletion_before_it_is_stored(call, monkeypatch):
    session = call()
    end(session)
    seen = []
    real = storage.store

    def watching(name, data, *, content_type):
        scheduled = Deletion.objects.get(name=name)
        seen.append(scheduled.due_at - timezone.now() > ADOPTION - datetime.timedelta(minutes=1))
        return real(name, data, content_type=content_type)

    monkeypatch.setattr(storage, "store", watching)
    session_assemble(session_id=session.id)
    assert seen == [True] * 3
    assert not Deletion.objects.filter(kind="file").exists()
