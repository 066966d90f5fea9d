"""Counts requests for rate limits, exactly, across all processes of an installation.

The counts are in Redis if it is set up, else in the PostgreSQL database, else in a SQLite file that
all processes of the machine share. The `limits` library is not used: it has no store for PostgreSQL
or SQLite, so without Redis each process would count for itself.
"""

import functools
import logging
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

_TIMEOUT = 0.25  # seconds that a request may be delayed by counting it
_RETRY_INTERVAL = 5.0  # seconds until a shared store that failed is tried again
SWEPT_AT_ONCE = 500  # rows: each statement holds the write lock for milliseconds only


class Store(ABC):
    """Counts hits per name and window (its start in Unix seconds)."""

    failures: tuple[type[Exception], ...] = ()
    """What ``increment`` raises when the store does not answer."""

    @abstractmethod
    def increment(self, name: str, window: int) -> int:
        """Count one hit. Returns how many the window has, including this one."""

    def sweep(self) -> None:
        """Delete the counts of past windows."""
        return


class MemoryStore(Store):
    """Counts for one process. Used while the shared store does not answer."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def increment(self, name: str, window: int) -> int:
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            used = self._counts[name] = self._counts.get(name, 0) + 1
            return used


class RedisStore(Store):
    """INCR with an expiry, in one round trip."""

    def __init__(self, url: str) -> None:
        import redis  # here, because it takes long and small installations do without it

        self.failures = (redis.RedisError,)
        self._client = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        )

    def increment(self, name: str, window: int) -> int:
        key = f"{settings.REDIS_PREFIX}:rate:{name}:{window}"
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 120)
            return int(pipeline.execute()[0])


class DatabaseStore(Store):
    """One statement on the database server (PostgreSQL)."""

    _COUNT = """
        INSERT INTO api_requestcount (name, "window", used) VALUES (%s, %s, 1)
        ON CONFLICT (name) DO UPDATE SET
            used = CASE WHEN api_requestcount."window" = EXCLUDED."window"
                        THEN api_requestcount.used + 1 ELSE 1 END,
            "window" = EXCLUDED."window"
        RETURNING used
    """

    _SWEEP = """
        DELETE FROM api_requestcount WHERE name IN (
            SELECT name FROM api_requestcount WHERE "window" < %s LIMIT %s)
    """

    def increment(self, name: str, window: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(self._COUNT, [name, window])
            return int(cursor.fetchone()[0])

    def sweep(self) -> None:
        with connection.cursor() as cursor:
            while True:
                cursor.execute(self._SWEEP, [int(time.time()) - 3600, SWEPT_AT_ONCE])
                if cursor.rowcount < SWEPT_AT_ONCE:
                    return


class FileStore(Store):
    """A SQLite file in the data directory, without syncing: tens of microseconds a count."""

    failures = (sqlite3.Error,)

    _COUNT = DatabaseStore._COUNT.replace("api_requestcount", "counts").replace("%s", "?")

    _SWEEP = DatabaseStore._SWEEP.replace("api_requestcount", "counts").replace("%s", "?")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def increment(self, name: str, window: int) -> int:
        row = self._connection.execute(self._COUNT, (name, window)).fetchone()
        return int(row[0])

    def sweep(self) -> None:
        while True:
            before = (time.time() - 3600, SWEPT_AT_ONCE)
            if self._connection.execute(self._SWEEP, before).rowcount < SWEPT_AT_ONCE:
                return

    @property
    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            # The lock is released at once, because of autocommit and because one row is read.
            found = sqlite3.connect(self._path, timeout=_TIMEOUT, isolation_level=None)
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=OFF")
            found.execute(
                "CREATE TABLE IF NOT EXISTS counts "
                '(name TEXT PRIMARY KEY, "window" INTEGER NOT NULL, used INTEGER NOT NULL)'
            )
            found.execute('CREATE INDEX IF NOT EXISTS counts_window ON counts ("window")')
            self._local.connection = found
        return found


class FallbackStore(Store):
    """Counts in a shared store. While that fails, each process counts for itself."""

    def __init__(self, shared: Store) -> None:
        self._shared = shared
        self._own = MemoryStore()
        self._retry_at = 0.0

    def increment(self, name: str, window: int) -> int:
        if time.monotonic() >= self._retry_at:
            try:
                return self._shared.increment(name, window)
            except self._shared.failures as error:
                self._retry_at = time.monotonic() + _RETRY_INTERVAL
                logger.warning(
                    "The store of rate limits failed (%s); each process counts for itself.",
                    type(error).__name__,
                    exc_info=error,
                )
        return self._own.increment(name, window)

    def sweep(self) -> None:
        self._shared.sweep()


@functools.cache
def store() -> Store:
    """This installation's store."""
    if settings.REDIS_URL:
        return FallbackStore(RedisStore(settings.REDIS_URL))
    if connection.vendor == "postgresql":
        return DatabaseStore()
    return FallbackStore(FileStore(settings.DATA_DIR / "rate_limits.sqlite3"))
