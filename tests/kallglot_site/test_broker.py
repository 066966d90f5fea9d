"""The file-system broker between real processes, and after one was killed."""

import datetime
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

MESSAGES = 300
PUBLISH = """
import sys
from kombu import Connection
folder, count = sys.argv[1], int(sys.argv[2])
options = {"data_folder_in": folder + "/queue", "data_folder_out": folder + "/queue",
           "control_folder": folder + "/control"}
with Connection("filesystem://localhost", transport="kallglot_site.broker:Transport",
                transport_options=options) as connection:
    queue = connection.SimpleQueue("bells")
    for number in range(count):
        queue.put({"number": number, "padding": "x" * 20_000})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def connection(folder: Path) -> Any:
    """Queues need a name of their own per test: Kombu remembers what a process has bound."""
    options = {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.001,
    }
    with Connection(
        "filesystem://localhost",
        transport="kallglot_site.broker:Transport",
        transport_options=options,
    ) as connection:
        yield connection


def test_a_reader_never_sees_a_message_that_is_still_being_written(
    folder: Path, connection: Any
) -> None:
    queue = connection.SimpleQueue("bells")
    writers = [
        subprocess.Popen([sys.executable, "-c", PUBLISH, str(folder), str(MESSAGES)])
        for _ in range(2)
    ]
    try:
        got = [queue.get(timeout=30).payload["number"] for _ in range(2 * MESSAGES)]
    finally:
        assert [writer.wait(30) for writer in writers] == [0, 0]
    assert sorted(got) == sorted([*range(MESSAGES)] * 2)
    assert not list((folder / "queue").iterdir())


def test_an_empty_message_left_by_a_power_cut_is_skipped(folder: Path, connection: Any) -> None:
    queue = connection.SimpleQueue("torn")
    (folder / "queue" / "0_0.torn.msg").touch()
    queue.put("whole")
    assert queue.get(timeout=5).payload == "whole"
    with pytest.raises(Empty):
        queue.get(block=False)


def test_a_broken_table_of_queues_is_written_again(folder: Path, connection: Any) -> None:
    (folder / "control" / "broken.exchange").touch()
    queue = connection.SimpleQueue("broken")
    queue.put("arrives")
    assert queue.get(timeout=5).payload == "arrives"


def test_without_a_worker_expired_messages_do_not_accumulate(
    folder: Path, connection: Any, time_machine: Any
) -> None:
    queue = connection.SimpleQueue("unread")
    start = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
    for second in range(0, 60, 2):
        now = start + datetime.timedelta(seconds=second)
        time_machine.move_to(now, tick=False)
        expires = (now + datetime.timedelta(seconds=5)).isoformat()
        queue.put("sweep", headers={"expires": expires})
    queue.put("kept for ever")
    assert len(list((folder / "queue").iterdir())) <= 4
    got = []
    with suppress(Empty):
        while True:
            got.append(queue.get(block=False).payload)
    assert set(got) == {"sweep", "kept for ever"}  # sweeps that have not expired arrive too


def test_every_message_of_the_clock_expires(settings: Any) -> None:
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["options"]["expires"] <= max(5.0, entry["schedule"]), name


def test_the_settings_use_it_without_redis(settings: Any) -> None:
    if not settings.CELERY_BROKER_URL.startswith("filesystem"):
        pytest.skip("this run has a real broker")
    assert settings.CELERY_BROKER_TRANSPORT == "kallglot_site.broker:Transport"
