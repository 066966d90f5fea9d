"""Crash tests: whatever process is killed, every event arrives, and a repeat has the same id.

With real processes: a recorder that commits events, a Celery worker, the clock, PostgreSQL, and a
Redis server of its own that is emptied and stopped.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from standardwebhooks import Webhook

from tests.e2e.server import MANAGE, ROOT, clean_environment, free_port
from tests.fakes.receivers import Received, Receiver, receiving, reply
from tests.requirements import missing

pytestmark = pytest.mark.timeout(400)

OUTAGE = 60.0  # seconds that the broker is stopped
TIMEOUT = 90.0  # seconds for all events to arrive


def eventually(condition: Callable[[], bool], what: str, timeout: float = TIMEOUT) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.1)


@dataclass
class Drill:
    """An installation whose processes can be killed one by one."""

    environment: dict[str, str]
    redis_port: int
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    recorder: subprocess.Popen[str] | None = None
    secret: str = ""

    def start(self, command: list[str], name: str) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if name == "recorder" else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def broker(self) -> subprocess.Popen[str]:
        options = ["--port", str(self.redis_port), "--save", "", "--dir", str(self.folder)]
        process = self.start(["redis-server", *options], "redis")
        client = redis.Redis(port=self.redis_port)

        def answers() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(client.ping())
            return False

        eventually(answers, "Redis answers")
        return process

    def worker(self) -> subprocess.Popen[str]:
        return self.start([*MANAGE, "worker", "--concurrency=2"], "worker")

    def ask(self, *words: object) -> Any:
        if self.recorder is None:
            script = str(ROOT / "tests/e2e/webhook_recorder.py")
            self.recorder = self.start([sys.executable, script], "recorder")
            assert self.recorder.stdout is not None
            assert self.recorder.stdout.readline() == "ready\n"
        assert self.recorder.stdin is not None
        assert self.recorder.stdout is not None
        self.recorder.stdin.write(" ".join(map(str, words)) + "\n")
        self.recorder.stdin.flush()
        return json.loads(self.recorder.stdout.readline())

    def kill(self, process: subprocess.Popen[str]) -> None:
        """``kill -9`` to the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process is self.recorder:
            self.recorder = None

    def all_delivered(self, receiver: Receiver, ids: list[str]) -> None:
        """Wait until every event has arrived, repeats have the same ids, and the rows say so."""
        eventually(
            lambda: set(ids) <= {got.event_id for got in receiver.received},
            f"{len(ids)} events arrive",
        )
        eventually(lambda: self.ask("count", "pending") == 0, "nothing is pending")
        assert self.ask("count", "delivered") == len(ids)
        deliveries: dict[str, set[str]] = {}
        for got in receiver.received:
            Webhook(self.secret).verify(got.body, got.headers)
            deliveries.setdefault(got.event_id, set()).add(got.headers["kallglot-webhook-id"])
        assert set(deliveries) == set(ids)
        assert all(len(known) == 1 for known in deliveries.values())


@pytest.fixture
def drill(tmp_path: Path, postgres_url: str) -> Iterator[Drill]:
    if shutil.which("redis-server") is None:
        missing("redis-server")
    name = f"kallglot_drill_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name}")
    port = int(os.environ.get("DRILL_REDIS_PORT", 0)) or free_port()
    environment = clean_environment(
        tmp_path / "data",
        DATABASE_URL=urlsplit(postgres_url)._replace(path=f"/{name}").geturl(),
        CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0",
        KALLGLOT_WEBHOOK_ALLOW_PRIVATE="true",
        DJANGO_SETTINGS_MODULE="kallglot_site.settings",
    )
    subprocess.run(
        [*MANAGE, "migrate", "--verbosity=0"], env=environment, cwd=ROOT, check=True, timeout=120
    )
    made = Drill(environment, port, tmp_path)
    try:
        made.broker()
        made.start([*MANAGE, "clock"], "clock")
        yield made
    finally:
        for process in made.processes:
            made.kill(process)
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def receiver(drill: Drill) -> Iterator[Receiver]:
    with receiving() as made:
        drill.secret = drill.ask("endpoint", made.url)
        yield made


def test_killed_after_the_commit(drill: Drill, receiver: Receiver) -> None:
    """The recorder dies before it could notify the worker: the sweep finds the rows."""
    ids = drill.ask("record", 20, "sess_1")["ids"]
    assert drill.recorder is not None
    drill.kill(drill.recorder)
    redis.Redis(port=drill.redis_port).flushall()
    drill.worker()
    drill.all_delivered(receiver, ids)


def test_killed_after_the_claim(drill: Drill) -> None:
    """The worker dies with claimed rows whose requests were not read."""
    with socket.create_server(("127.0.0.1", 0)) as unread:
        port = unread.getsockname()[1]
        drill.secret = drill.ask("endpoint", f"http://127.0.0.1:{port}/hook")
        worker = drill.worker()
        ids = drill.ask("record", 5, "sess_1")["ids"] + drill.ask("record", 5, "sess_2")["ids"]
        eventually(lambda: drill.ask("claimed") == 2, "the first of each session is claimed")
        drill.kill(worker)
    assert drill.ask("claimed") == 2
    with receiving(port=port) as receiver:
        drill.worker()
        drill.all_delivered(receiver, ids)


def test_killed_after_the_post(drill: Drill, receiver: Receiver) -> None:
    """The worker dies between the request and storing its response: the repeat has the same ids."""

    def never_answer(received: Received, connection: socket.socket) -> None:
        time.sleep(3600)

    receiver.script = never_answer
    worker = drill.worker()
    ids = drill.ask("record", 10, "sess_1")["ids"]
    receiver.wait(1, TIMEOUT)
    drill.kill(worker)
    receiver.script = reply()
    drill.worker()
    drill.all_delivered(receiver, ids)
    first, *later = receiver.received
    assert first.event_id == ids[0]
    repeats = [got for got in later if got.event_id == ids[0]]
    assert [got.body for got in repeats] == [first.body]
    in_order = list(dict.fromkeys(got.event_id for got in receiver.received))
    assert in_order == ids


def test_the_broker_is_emptied(drill: Drill, receiver: Receiver) -> None:
    client = redis.Redis(port=drill.redis_port)
    drill.worker()
    ids = []
    for number in range(10):
        ids += drill.ask("record", 5, f"sess_{number}")["ids"]
        client.flushall()
    drill.all_delivered(receiver, ids)


def test_the_broker_is_stopped_for_a_minute(drill: Drill, receiver: Receiver) -> None:
    """Recording an event does not wait for the broker, and all events arrive once it is back."""
    drill.worker()
    ids = drill.ask("record", 5, "sess_before")["ids"]
    receiver.wait(5, TIMEOUT)
    drill.kill(next(p for p in drill.processes if "redis-server" in str(p.args)))
    until = time.monotonic() + OUTAGE
    number = 0
    while time.monotonic() < until:
        answer = drill.ask("record", 5, f"sess_{number}")
        assert answer["slowest"] < 2.0
        ids += answer["ids"]
        number += 1
        time.sleep(5)
    drill.broker()
    drill.all_delivered(receiver, ids)
