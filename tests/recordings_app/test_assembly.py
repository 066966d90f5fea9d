"""From a call's spool to its recordings, whatever happens in between."""

import datetime
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from recordings_app import assembly, leases, sweeps
from recordings_app.assembly import session_assemble
from recordings_app.media import storage
from recordings_app.models import Assembly, Recording, RecordingFile, Tombstone
from recordings_app.services import assembly_retry, recording_delete
from recordings_app.spool.parts import local_parts, part_path, session_directory
from recordings_app.tombstones import ADOPTION, tombstones_carry_out
from sessions_app.lifecycle import transcript_complete
from sessions_app.services import session_end, session_erase
from tests.recordings_app.audio import agreement, decoded, feed, voice
from webhooks_app.models import Event

AGENT, CUSTOMER = voice(6, seed=3), voice(6, seed=4)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def call(recorded_session, tap_for, sealed):
    """An ended call: the agent spoke from 0 to 6 s, the customer from 2 to 8 s."""

    def make(channels="dual", **values):
        session = recorded_session(channels=channels, duration=8.0, **values)
        agent, customer = tap_for(session.id, "agent"), tap_for(session.id, "customer")
        feed(agent, AGENT, speaker="agent")
        feed(customer, CUSTOMER, at=2.0)
        sealed(agent, customer)
        return session

    return make


def end(session):
    session_end(session=session)
    transcript_complete(session_id=session.id)


def content(recording):
    return b"".join(storage.read(recording.files.get()))


def stored_files(data_dir):
    return [path for path in (data_dir / "media").rglob("*") if path.is_file()]


def test_a_dual_call_becomes_three_files_on_the_sessions_timeline(call):
    session = call()
    end(session)
    assert session_assemble(session_id=session.id)
    mixed, agent, customer = (
        Recording.objects.get(session=session, channel=channel)
        for channel in ("mixed", "agent", "customer")
    )
    assert (mixed.format, agent.format, customer.format) == ("mp3", "wav", "wav")
    assert {each.status for each in (mixed, agent, customer)} == {"ready"}
    assert {each.duration for each in (mixed, agent, customer)} == {8.0}
    (left, right), rate = decoded(content(mixed))
    assert len(left) == len(right) == 8 * rate
    for heard, source, start in (
        (left, AGENT, 0),
        (right, CUSTOMER, 2),
        (decoded(content(agent))[0][0], AGENT, 0),
        (decoded(content(customer))[0][0], CUSTOMER, 2),
    ):
        found = agreement(heard[start * rate : (start + 6) * rate], source, rate)
        assert abs(found.lag) < 0.001
        assert found.correlation > 0.95
    assert not right[: 2 * rate - 400].any() or np.abs(right[: 2 * rate - 400]).max() < 200


def test_a_mixed_call_becomes_one_mono_mp3_of_both(call):
    session = call(channels="mixed")
    end(session)
    session_assemble(session_id=session.id)
    recording = Recording.objects.get(session=session)
    (heard,), rate = decoded(content(recording))
    both = np.zeros(8 * rate, np.int32)
    both[: 6 * rate] += AGENT
    both[2 * rate :] += CUSTOMER
    found = agreement(heard, np.clip(both, -32768, 32767).astype(np.int16), rate)
    assert abs(found.lag) < 0.001
    assert found.correlation > 0.95


def test_each_recording_is_announced_in_the_same_commit(call):
    session = call()
    end(session)
    session_assemble(session_id=session.id)
    events = Event.objects.filter(type="recording.ready", session_id=session.id)
    assert {event.data["channel"] for event in events} == {"mixed", "agent", "customer"}
    for event in events:
        assert event.data["status"] == "ready"
        assert event.data["size"] > 0
        assert event.data["download_url"].endswith("/download")


def test_rows_are_there_as_soon_as_the_session_has_ended(call):
    session = call()
    session_end(session=session)
    assert set(
        Recording.objects.filter(session=session).values_list("status", "channel", "format")
    ) == {
        ("processing", "mixed", "mp3"),
        ("processing", "agent", "wav"),
        ("processing", "customer", "wav"),
    }


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
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id) == []


def test_an_owner_that_hangs_is_not_waited_for_forever_and_its_audio_joins_later(
    call, tap_for, sealed
):
    session = call(channels="mixed")
    hanging = tap_for(session.id, "agent", generation=2)
    end(session)
    assert not session_assemble(session_id=session.id)
    Assembly.objects.update(waiting_since=timezone.now() - assembly.GRACE * 2)
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
    tombstones_carry_out()
    assert not default_storage.exists(first.name)


def test_a_session_nobody_spoke_in_has_no_recordings(recorded_session):
    session = recorded_session(started_at=None, status="created")
    end(session)
    assert not Recording.objects.exists()
    assert not Assembly.objects.exists()


def test_a_session_that_did_not_ask_has_none(recorded_session):
    session = recorded_session()
    session.recording_enabled = False
    session.save()
    end(session)
    assert not Recording.objects.exists()


def test_the_spool_goes_after_what_was_stored_is_proven(call, monkeypatch):
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
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id) == []
    assert not session_directory(session.id).exists()


def test_a_worker_killed_after_storing_leaves_neither_loss_nor_garbage(call, monkeypatch, data_dir):
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
    past = timezone.now() - datetime.timedelta(seconds=1)
    Assembly.objects.update(due_at=past)
    assert leases.to_ring(Assembly.objects.filter(status="due"), 10) == [session.id]
    assert session_assemble(session_id=session.id)
    assert len(stored_files(data_dir)) == 6
    Tombstone.objects.update(due_at=past)
    tombstones_carry_out()
    assert len(stored_files(data_dir)) == 3
    assert all(content(recording) for recording in Recording.objects.all())


def test_a_worker_presumed_dead_commits_nothing(call, monkeypatch):
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


def test_a_worker_killed_before_deleting_the_spool_leaves_it_to_the_sweep(call, monkeypatch):
    session = call()
    end(session)
    monkeypatch.setattr(assembly, "parts_remove", lambda *args: None)
    assert session_assemble(session_id=session.id)
    assert local_parts(session.id)
    monkeypatch.undo()
    sweeps.spool_leftovers_adopt()
    assert local_parts(session.id) == []


def test_enough_failures_make_it_failed_and_keep_the_spool_for_another_try(call, monkeypatch):
    session = call()
    end(session)

    def broken(*args, **kwargs):
        raise RuntimeError("no codec")

    monkeypatch.setattr(assembly, "make", broken)
    for _ in range(assembly.MAX_ATTEMPTS):
        assert not session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}
    assert Event.objects.filter(type="recording.failed").count() == 3
    assert local_parts(session.id)
    monkeypatch.undo()
    assert assembly_retry(session_id=session.id)
    assert session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"ready"}


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


def test_no_spool_at_all_is_a_failure_and_not_a_silent_file(recorded_session):
    session = recorded_session(duration=3.0)
    end(session)
    session_assemble(session_id=session.id)
    assert set(Recording.objects.values_list("status", flat=True)) == {"failed"}


def test_what_a_pause_left_out_is_silence_of_the_same_length(recorded_session, tap_for, sealed):
    session = recorded_session(channels="mixed", duration=9.0)
    tap = tap_for(session.id)
    source = voice(9)
    feed(tap, source[: 3 * 8000])
    feed(tap, source[6 * 8000 :], at=6.0)
    sealed(tap)
    end(session)
    session_assemble(session_id=session.id)
    (heard,), rate = decoded(content(Recording.objects.get()))
    assert len(heard) == 9 * rate
    assert np.abs(heard[3 * rate + 1200 : 6 * rate - 1200]).max() < 50
    found = agreement(heard[6 * rate :], source[6 * 8000 :], rate)
    assert abs(found.lag) < 0.001
    assert found.correlation > 0.95


def test_encrypted_at_rest_means_no_audio_in_any_file(call, settings, data_dir):
    settings.MEDIA_KEY = "a key"
    session = call()
    spool = b"".join(part_path(session.id, part).read_bytes() for part in local_parts(session.id))
    end(session)
    assert session_assemble(session_id=session.id)
    on_disk = b"".join(path.read_bytes() for path in stored_files(data_dir))
    for marker in (b"RIFF", b"LAME", AGENT[8000:8100].tobytes()):
        assert marker not in on_disk
    assert b"\xa5K" * 1 not in spool[:100]
    agent = Recording.objects.get(channel="agent")
    (heard,), rate = decoded(content(agent))
    assert agreement(heard[: 6 * rate], AGENT, rate).correlation > 0.999


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


def test_one_deleted_while_being_made_stays_deleted(call, monkeypatch, data_dir):
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
    Tombstone.objects.update(due_at=timezone.now())
    tombstones_carry_out()
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
    Tombstone.objects.update(due_at=timezone.now())
    tombstones_carry_out()
    assert stored_files(data_dir) == []
    assert local_parts(session.id) == []


def test_the_spool_of_a_session_without_work_to_do_is_adopted(call):
    session = call()
    session_end(session=session)
    Assembly.objects.all().delete()
    Recording.objects.all().delete()
    transcript_complete(session_id=session.id)
    assert sweeps.spool_leftovers_adopt() == 1
    assert session_assemble(session_id=session.id)
    assert Recording.objects.filter(status="ready").count() == 3


def test_a_spool_whose_session_is_unknown_is_kept(tap_for, sealed):
    from kallglot_site.api.ids import new_id

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


def test_files_are_guarded_from_the_moment_they_are_named(call, monkeypatch):
    session = call()
    end(session)
    seen = []
    real = storage.store

    def watching(name, data, *, content_type):
        stone = Tombstone.objects.get(name=name)
        seen.append(stone.due_at - timezone.now() > ADOPTION - datetime.timedelta(minutes=1))
        return real(name, data, content_type=content_type)

    monkeypatch.setattr(storage, "store", watching)
    session_assemble(session_id=session.id)
    assert seen == [True] * 3
    assert not Tombstone.objects.filter(kind="file").exists()
