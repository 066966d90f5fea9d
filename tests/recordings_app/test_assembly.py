"""From a call's spool to its recordings."""

import threading

import numpy as np
import pytest

from kallglot_site.celery import app as celery_app
from recordings_app.assembly import session_assemble
from recordings_app.models import Assembly, Recording
from recordings_app.spool.parts import local_parts, part_path
from recordings_app.tasks import assemble_due
from sessions_app.services import session_end
from tests.fakes.metrics import counted
from tests.fakes.sockets import TIMEOUT
from tests.recordings_app.audio import agreement, decoded, feed, voice
from tests.recordings_app.calls import AGENT, CUSTOMER, content, end, stored_files
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_recordings_that_become_ready_are_counted(call):
    session = call()
    end(session)
    with counted("kallglot_recordings_finished_total") as finished:
        session_assemble(session_id=session.id)
    assert finished == {("ready",): 3}


def test_each_recording_gets_its_event_in_the_same_commit(call):
    session = call()
    end(session)
    session_assemble(session_id=session.id)
    events = Event.objects.filter(type="recording.ready", session_id=session.id)
    assert {event.data["channel"] for event in events} == {"mixed", "agent", "customer"}
    for event in events:
        assert event.data["status"] == "ready"
        assert event.data["size"] > 0
        assert event.data["download_url"].endswith("/download")


def test_rows_exist_as_soon_as_the_session_has_ended(call):
    session = call()
    session_end(session=session)
    assert set(
        Recording.objects.filter(session=session).values_list("status", "channel", "format")
    ) == {
        ("processing", "mixed", "mp3"),
        ("processing", "agent", "wav"),
        ("processing", "customer", "wav"),
    }


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


def test_a_pause_is_silence_of_the_same_length(recorded_session, tap_for, sealed):
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


def test_with_encryption_no_file_contains_plain_audio(call, settings, data_dir):
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


def test_ending_a_recorded_call_does_not_wait_for_a_broker_that_hangs(call, monkeypatch):
    answered, threads = threading.Event(), []

    def hang(task, *args, **options):
        threads.append(threading.current_thread())
        answered.wait(TIMEOUT)

    monkeypatch.setattr(celery_app, "send_task", hang)
    end(call())
    assert threading.current_thread() not in threads
    answered.set()


def test_the_task_makes_the_recordings_of_every_session_that_is_due(call):
    for session in (call(channels="mixed"), call(channels="mixed")):
        end(session)
    assemble_due()
    assert list(Recording.objects.values_list("status", flat=True)) == ["ready", "ready"]
