"""A real installation in its own processes: ``manage.py up`` on a free port."""

import contextlib
import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, str(ROOT / "manage.py")]


@dataclass(frozen=True)
class Credentials:
    """Output of ``manage.py bootstrap --json``."""

    organization_id: str
    live_key: str = field(repr=False)
    test_key: str = field(repr=False)
    staff_email: str
    staff_password: str = field(repr=False)


@dataclass
class Server:
    """A running installation, which serves REST, WebSockets and pages at ``url``."""

    url: str
    credentials: Credentials
    environment: dict[str, str] = field(repr=False)
    data_dir: Path
    process: subprocess.Popen[str] = field(repr=False)
    output: list[str] = field(repr=False)
    """Every line printed so far, logs included."""

    def client(self, key: str | None = None) -> httpx.Client:
        """A REST client with ``key`` (None: the live key)."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key or self.credentials.live_key}"},
            timeout=30,
            trust_env=False,
        )

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run another command on the same installation to its end."""
        return subprocess.run(
            [*MANAGE, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=check,
            stdin=subprocess.DEVNULL,
        )


def clean_environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """This process's environment without its settings, plus ``settings``.

    DATABASE_URL and REDIS_URL are left out too: they are the test run's own databases.
    """
    names = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "STORAGE_URL", "PYTEST_VERSION"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KALLGLOT_", "DJANGO_SETTINGS_MODULE", "PYTEST_"))
        and name not in names
    }
    # Each new data folder would first get the embedder's model converted into it.
    kept.setdefault("EMBEDDER_URL", "none")
    return {**kept, "KALLGLOT_DATA_DIR": str(data_dir), **settings}


@contextlib.contextmanager
def same_size() -> Iterator[dict[str, str]]:
    """Settings that give a new installation the same kinds of databases as this test run has.

    It gets its own PostgreSQL database and Redis prefix, which are removed afterwards.
    """
    with contextlib.ExitStack() as stack:
        given: dict[str, str] = {}
        if redis_url := os.environ.get("REDIS_URL"):
            given |= stack.enter_context(own_keys(redis_url))
        url = os.environ.get("DATABASE_URL", "")
        if url.startswith("postgres"):
            given |= stack.enter_context(own_database(url))
        yield given


@contextlib.contextmanager
def own_database(url: str) -> Iterator[dict[str, str]]:
    import psycopg

    name = f"kallglot_e2e_{secrets.token_hex(6)}"  # installations of a run may overlap
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}
        finally:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def own_keys(redis_url: str) -> Iterator[dict[str, str]]:
    """A prefix and not a database number: pub/sub channels are not separated by number."""
    import redis

    prefix = f"kallglot_e2e_{secrets.token_hex(6)}"
    try:
        yield {"REDIS_URL": redis_url, "KALLGLOT_REDIS_PREFIX": prefix}
    finally:
        with redis.Redis.from_url(redis_url) as client:
            for key in client.scan_iter(f"{prefix}*"):
                client.delete(key)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    data_dir: Path,
    *,
    server: str = "daphne",
    settings: Mapping[str, str] | None = None,
    timeout: float = 180,
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """Start ``up``, bootstrap an organization, yield once it is ready, and stop it afterwards.

    ``settings`` are further environment variables, ``options`` those of ``up``. ``timeout`` is for
    the start, in seconds.
    """
    environment = clean_environment(data_dir, **(settings or {}))
    port = free_port()
    # Supervised: the server ends when this test run is killed.
    command = [*MANAGE, "up", f"--port={port}", f"--server={server}", "--supervised", *options]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        url = wait_for(lines, "ready http", timeout, output).split()[1]
        made = subprocess.run(
            [*MANAGE, "bootstrap", "--organization", "Acme Support", "--json"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )
        credentials = Credentials(**json.loads(made.stdout))
        # Tests create more organizations: commands need to know whose call it is.
        environment["KALLGLOT_API_KEY"] = credentials.live_key
        yield Server(url, credentials, environment, data_dir, process, output)
    finally:
        stop(process)


def wait_for(
    lines: "queue.Queue[str | None]", start: str, timeout: float, output: list[str]
) -> str:
    """The first line that begins with ``start``. Fails with the output so far."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            raise AssertionError(f"no line {start!r} within {timeout} s in:\n{''.join(output)}")
        if line.startswith(start):
            return line


def stop(process: subprocess.Popen[str]) -> None:
    """Stop like Ctrl-C; kill after 90 seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
