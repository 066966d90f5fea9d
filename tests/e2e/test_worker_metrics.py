"""A worker's own port shows what all its processes have counted."""

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.server import MANAGE, ROOT, clean_environment, free_port, running, same_size, stop
from tests.kallglot_site.metrics.samples import value

TIMEOUT = 120
TOKEN = "correct-horse"

DELETE_FILES = """
from kallglot_site.celery import app
from recordings_app.deletions import FILES, deletions_schedule
deletions_schedule(names=[f"recordings/none-{number}.mp3" for number in range(7)])
app.send_task(FILES.task)  # a ring expires, and the worker may still be starting
"""


class Address:
    """Where a worker shows its metrics."""

    def __init__(self, url: str) -> None:
        self.url = url

    def asked(self, token: str = TOKEN) -> httpx.Response | None:
        """None: it does not listen yet."""
        try:
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.get(self.url, headers=headers, trust_env=False, timeout=TIMEOUT)
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


class Worker(Address):
    """A worker of an installation without gateways."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.environment = environment
        super().__init__(f"http://127.0.0.1:{port}/metrics")
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


def test_up_shows_its_workers_metrics_and_a_second_worker_gets_no_share_in_them(tmp_path):
    port = free_port()
    settings = {"KALLGLOT_METRICS_TOKEN": TOKEN}
    with running(tmp_path, settings=settings, options=[f"--worker-metrics-port={port}"]) as server:
        worker = Address(f"http://127.0.0.1:{port}/metrics")
        worker.until_deleted(0)
        other = ["worker", "--metrics-host=127.0.0.2", f"--metrics-port={port}"]
        refused = server.manage(*other, check=False)
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"CommandError: Another worker on {tmp_path} has ")
        assert len(refused.stderr.splitlines()) == 1
        server.manage("shell", "-c", DELETE_FILES)
        worker.until_deleted(7)
