"""Two transactions at once, one of which waits for the other. On PostgreSQL: SQLite has one."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final

import pytest
from django.db import connection

TIMEOUT: Final = 30.0
"""Seconds that a test waits for something that is to come."""


def row_locks_require() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no two transactions at once")


def waiting(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    """Begin ``work`` over another connection; returns once it waits for a lock, or is done."""
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
        time.sleep(0.01)  # a lock that is waited for tells nobody
    return done


def _is_blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])
