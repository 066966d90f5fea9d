import tempfile

import numpy as np
import pytest

from sessions_app.streaming.hearing.backlog import Backlog, Utterance


def utterance(number, seconds=10.0):
    audio = np.full(round(seconds * 8000), number, dtype=np.int16)
    start = number * 20.0
    return Utterance(f"seg_{number}", start, start + seconds, audio, 8000, ended=0.0)


def pop_all(backlog):
    result = []
    while backlog:
        each = backlog.popleft()
        result.append((each.id, int(each.audio[0]), len(each.audio)))
    return result


def test_a_short_backlog_stays_in_memory(tmp_path):
    backlog = Backlog(tmp_path, in_memory=30)
    for number in range(3):
        backlog.append(utterance(number))
    assert backlog.spilled == 0
    assert backlog.seconds == 30


def test_a_longer_backlog_goes_to_disk_and_comes_back_unchanged_and_in_order(tmp_path):
    backlog = Backlog(tmp_path, in_memory=30)
    for number in range(8):
        backlog.append(utterance(number))
    assert backlog.spilled == 5
    assert backlog.seconds == 80
    assert pop_all(backlog) == [(f"seg_{number}", number, 80_000) for number in range(8)]
    assert backlog.seconds == 0
    assert backlog.spilled == 0


def test_the_journal_leaves_no_file_behind(tmp_path):
    backlog = Backlog(tmp_path, in_memory=5)
    for number in range(3):
        backlog.append(utterance(number))
    assert backlog.spilled
    assert list(tmp_path.iterdir()) == []


def test_a_backlog_that_was_empty_starts_a_new_journal(tmp_path):
    backlog = Backlog(tmp_path, in_memory=5)
    for _ in range(3):
        for number in range(3):
            backlog.append(utterance(number))
        assert [each[1] for each in pop_all(backlog)] == [0, 1, 2]


def test_a_single_long_utterance_is_not_sent_to_disk(tmp_path):
    backlog = Backlog(tmp_path, in_memory=5)
    backlog.append(utterance(1))
    assert backlog.spilled == 0


def test_no_speech_is_lost_when_the_disk_cannot_be_written(tmp_path, monkeypatch):
    def fail(**kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    backlog = Backlog(tmp_path, in_memory=5)
    for number in range(3):
        backlog.append(utterance(number))
    assert backlog.spilled == 0
    assert [each[1] for each in pop_all(backlog)] == [0, 1, 2]


def test_popping_from_an_empty_backlog_raises_an_error(tmp_path):
    with pytest.raises(IndexError):
        Backlog(tmp_path).popleft()
