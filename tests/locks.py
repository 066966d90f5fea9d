"""Two transactions of which one waits for the other's lock. On PostgreSQL only."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final

import pytest
from django.db import connection

TIMEOUT: Final = 30.0
"""Seconds that a test waits for what it expects."""


def row_locks_require() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no row locks")


def waiting(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    """Start ``work`` on another connection. Returns once it waits for a lock, or is done."""
    backend: SimpleQueue[int] = SimpleQueue()

    def run() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                backend.put(cursor.fetchone()[0])
            return work()
        finally:
            connection.close()

    done = pool.submit(run)
    pid = backend.get(timeout=TIMEOUT)
    while not done.done() and not _is_blocked(pid):
        time.sleep(0.01)  # PostgreSQL has no notification of a waiting transaction
    return done


def _is_blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])
