"""A shorter wait for SQLite's write lock, where the default of 20 seconds is too long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def sqlite_busy_timeout(seconds: float) -> Iterator[None]:
    """In this block, a write raises OperationalError if the lock is not free after ``seconds``.

    Does nothing on other databases, nor inside a transaction, which holds the lock already.
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
