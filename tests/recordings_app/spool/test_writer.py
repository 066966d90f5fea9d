"""The recording tap writes every frame to disk, and a full disk does not end the call."""

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from kallglot_site.api.ids import new_id
from recordings_app.spool.durability import syncer
from recordings_app.spool.parts import (
    PartName,
    is_being_written,
    local_parts,
    part_path,
    session_directory,
)
from recordings_app.spool.reader import blocks, survey
from recordings_app.spool.writer import spool_tap
from sessions_app.media import AudioFormat
from sessions_app.streaming.hearing.taps import TrackContext
from tests.recordings_app.audio import agreement, feed, voice

SESSION = new_id("sess")


def openers(speaker="customer", session_id=SESSION):
    return [
        lambda part=part: part_path(session_id, part).open("rb")
        for part in local_parts(session_id)
        if part.channel == speaker
    ]


def heard(seconds, rate=8000, speaker="customer", session_id=SESSION):
    total = round(seconds * rate)
    return np.concatenate(
        list(blocks(openers(speaker, session_id), rate=rate, total=total, size=rate))
    )


@contextmanager
def largest_file(size):
    """The disk takes no more than ``size`` bytes of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_session_without_recording_leaves_nothing_on_disk():
    context = TrackContext(SESSION, "trk", "customer", 1, False, lambda warning: None)
    assert spool_tap(context) is None
    assert local_parts(SESSION) == []


def test_every_frame_is_in_the_file_as_soon_as_it_is_written(tap_for):
    tap = tap_for(SESSION)
    source = voice(2)
    feed(tap, source)
    assert agreement(heard(2), source, 8000).correlation > 0.999
    tap.close()


def test_a_part_is_locked_while_its_writer_lives(tap_for, sealed):
    tap = tap_for(SESSION)
    path = part_path(SESSION, PartName("customer", 1, 1))
    assert is_being_written(path)
    sealed(tap)
    assert not is_being_written(path)


def test_a_new_owner_writes_its_own_part(tap_for, sealed):
    source = voice(4)
    first, second = tap_for(SESSION, generation=1), tap_for(SESSION, generation=2)
    feed(first, source[:16000])
    feed(second, source[16000:], at=2.0)
    sealed(first, second)
    assert [part.generation for part in local_parts(SESSION)] == [1, 2]
    found = agreement(heard(4), source, 8000)
    assert found.lag == 0
    assert found.correlation > 0.999


def test_an_owner_that_comes_back_under_its_generation_overwrites_nothing(tap_for, sealed):
    source = voice(2)
    first = tap_for(SESSION)
    feed(first, source[:8000])
    sealed(first)
    second = tap_for(SESSION)
    feed(second, source[8000:], at=1.0)
    sealed(second)
    assert agreement(heard(2), source, 8000).correlation > 0.999


def test_a_long_call_is_cut_into_parts_without_a_seam(tap_for, sealed):
    tap = tap_for(SESSION)
    source = voice(130)
    feed(tap, source)
    sealed(tap)
    assert [part.number for part in local_parts(SESSION)] == [1, 2, 3]
    assert agreement(heard(130), source, 8000).correlation > 0.999


def test_silence_takes_no_space_after_a_clock_jump(tap_for, sealed):
    tap = tap_for(SESSION)
    feed(tap, voice(1))
    feed(tap, voice(1), at=8 * 3600.0)
    sealed(tap)
    assert sum(path.stat().st_size for path in session_directory(SESSION).iterdir()) < 20_000
    assert survey(openers()).end == pytest.approx(8 * 3600 + 1)


def test_a_change_of_rate_in_the_middle_stays_in_step(tap_for, sealed):
    wide = voice(6, rate=16000)
    narrow = wide[::2]
    tap = tap_for(SESSION)
    feed(tap, narrow[:24000])
    feed(tap, wide[48000:], at=3.0, format=AudioFormat("pcm_s16le", 16000))
    sealed(tap)
    assert survey(openers()).sample_rate == 16000
    second_half = heard(6, rate=16000)[48000:]
    found = agreement(second_half, wide[48000:], 16000)
    assert found.lag == 0
    assert found.correlation > 0.999


def test_resampled_audio_does_not_drift_over_an_hour(tap_for, sealed):
    tap = tap_for(SESSION)
    odd = AudioFormat("pcm_s16le", 11025)
    for minute in range(0, 60, 10):
        feed(tap, voice(2, rate=11025, seed=minute + 1), at=minute * 60.0, format=odd)
    feed(tap, voice(2, rate=11025, seed=99), at=3598.0, format=odd)
    sealed(tap)
    last = heard(3600, rate=22050)[3598 * 22050 :]
    found = agreement(last[::2], voice(2, rate=11025, seed=99), 11025)
    assert abs(found.lag) < 0.001
    assert found.correlation > 0.99


def test_a_full_disk_ends_the_recording_with_a_warning_and_keeps_what_there_is(
    tap_for, warnings, sealed
):
    tap = tap_for(SESSION)
    source = voice(4)
    feed(tap, source[:16000])
    with largest_file(18_000):
        feed(tap, source[16000:], at=2.0)
    assert [warning.code for warning in warnings] == ["recording_failed"]
    sealed(tap)
    found = survey(openers())
    assert found.failed
    assert found.end == pytest.approx(2.1, abs=0.11)
    assert agreement(heard(2), source[:16000], 8000).correlation > 0.999


def test_if_no_part_can_be_created_a_later_one_is_marked_as_incomplete(tap_for, warnings, sealed):
    session_directory(SESSION).parent.mkdir(parents=True)
    session_directory(SESSION).write_text("in the way")
    tap = tap_for(SESSION)
    assert [warning.code for warning in warnings] == ["recording_failed"]
    session_directory(SESSION).unlink()
    feed(tap, voice(1))
    sealed(tap)
    found = survey(openers())
    assert found.failed
    assert found.records == 0


def test_frames_after_closing_are_ignored(tap_for, sealed):
    tap = tap_for(SESSION)
    sealed(tap)
    feed(tap, voice(1))
    assert survey(openers()).records == 0


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
import django
django.setup()
from django.conf import settings
from pathlib import Path
settings.DATA_DIR = Path({data_dir!r})
from recordings_app.spool.writer import SpoolTap
from sessions_app.streaming.hearing.taps import TrackContext
from tests.recordings_app.audio import feed, voice
tap = SpoolTap(TrackContext({session!r}, "trk", "customer", 1, True, print))
feed(tap, voice(3))
print("written", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("key", ["", "a key"])
def test_a_killed_process_loses_no_frame(data_dir, settings, key):
    settings.MEDIA_KEY = key
    root = str(settings.BASE_DIR)
    code = KILLED.format(root=root, data_dir=str(data_dir), session=SESSION)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kallglot_site.settings",
            "KALLGLOT_MEDIA_KEY": key,
            "KALLGLOT_DATA_DIR": str(data_dir / "other"),
        },
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    path = part_path(SESSION, PartName("customer", 1, 1))
    assert is_being_written(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not is_being_written(path)
    assert survey(openers()).records == 30
    assert agreement(heard(3), voice(3), 8000).correlation > 0.999


def test_only_a_session_id_becomes_a_path():
    for name in ("../etc", "sess_", "sess_\0", "/etc/passwd", "sess_" + "0" * 25 + "/"):
        with pytest.raises(ValueError, match="not a session id"):
            session_directory(name)


def test_writing_a_frame_does_not_wait_for_the_disk(tap_for, monkeypatch):
    import threading

    synced = []
    real = os.fdatasync

    def watching(descriptor):
        synced.append(threading.current_thread().name)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", watching)
    tap = tap_for(SESSION)
    feed(tap, voice(1))
    tap.close()
    assert syncer.flush()
    assert set(synced) == {"spool-sync"}
