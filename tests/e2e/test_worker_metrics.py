"""A worker's own port shows what all its processes have counted."""

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.server import MANAGE, ROOT, clean_environment, free_port, same_size, stop
from tests.kallglot_site.metrics.samples import value

TIMEOUT = 120
TOKEN = "correct-horse"

DELETE_FILES = """
from kallglot_site.celery import app
from recordings_app.deletions import FILES, deletions_schedule
deletions_schedule(names=[f"recordings/none-{number}.mp3" for number in range(7)])
app.send_task(FILES.task)  # a ring expires, and the worker may still be starting
"""


class Worker:
    """A worker of an installation without gateways."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.environment = environment
        self.address = f"http://127.0.0.1:{port}/metrics"
        self.command = [*MANAGE, "worker", "--concurrency=2", f"--metrics-port={port}"]
        self.process = self.start()

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def manage(self, *arguments: str) -> None:
        subprocess.run(
            [*MANAGE, *arguments], env=self.environment, cwd=ROOT, check=True, timeout=TIMEOUT
        )

    def asked(self, token: str = TOKEN) -> httpx.Response | None:
        """None: it does not listen yet."""
        try:
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.get(self.address, headers=headers, trust_env=False, timeout=TIMEOUT)
        except httpx.ConnectError:
            return None

    def deleted(self) -> float:
        answer = self.asked()
        labels = {"queue": "file_deletions", "outcome": "done"}
        name = "kallglot_work_duration_seconds_count"
        return value(answer.text, name, **labels) if answer else -1.0

    def until_deleted(self, count: int) -> None:
        deadline = time.monotonic() + TIMEOUT
        while self.deleted() != count:
            assert time.monotonic() < deadline, f"{self.deleted()} instead of {count}"
            time.sleep(0.1)


@pytest.fixture
def worker(tmp_path) -> Iterator[Worker]:
    with same_size() as settings:
        environment = clean_environment(tmp_path, KALLGLOT_METRICS_TOKEN=TOKEN, **settings)
        subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, cwd=ROOT, check=True)
        worker = Worker(environment, free_port())
        yield worker
        stop(worker.process)


@pytest.mark.timeout(600)
def test_a_worker_shows_what_its_jobs_counted_and_begins_anew_at_zero(worker):
    worker.until_deleted(0)
    worker.manage("shell", "-c", DELETE_FILES)
    worker.until_deleted(7)
    refused = worker.asked("battery-staple")
    assert refused is not None
    assert refused.status_code == 403
    stop(worker.process)
    worker.process = worker.start()
    worker.until_deleted(0)
