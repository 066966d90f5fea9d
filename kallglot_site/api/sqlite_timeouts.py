"""How long to wait for SQLite's one write lock, where the usual 20 seconds are too many."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def sqlite_busy_timeout(seconds: float) -> Iterator[None]:
    """Within: give up on a busy SQLite after ``seconds``, with OperationalError.

    Does nothing on other databases, nor inside a transaction (which has its lock already).
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _busy_timeout(seconds)
    try:
        yield
    finally:
        _busy_timeout(connection.settings_dict["OPTIONS"].get("timeout", 5))


def _busy_timeout(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
