"""Thread pools for blocking work, one for each concern, so that none can hold up another.

The pools of one process do not share threads. A pool that new requests reach has a bounded queue:
work that finds its threads and its queue full is refused at once. Asyncio's default executor is
used for nothing: it has few threads, which everything would share.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ExecutorFull(Exception):
    """All threads of the pool are busy, and as much as may wait is waiting."""


class BoundedExecutor(Executor):
    """``threads`` at work and ``waiting`` calls in the queue, at most.

    ``waiting=None`` refuses nothing. It is for work that must not be refused and whose amount is
    bounded elsewhere: each of a limited number of callers has at most one call in the queue.
    """

    def __init__(self, name: str, *, threads: int, waiting: int | None) -> None:
        self.name = name
        self.most = None if waiting is None else threads + waiting
        """Calls that may be running or waiting at once. None: any number."""
        self.threads = threads
        self.calls = 0
        """Calls that run or wait now."""
        self.refused = 0
        """Calls that found it full, since the process began."""
        self._counting = threading.Lock()
        self._places = None if self.most is None else threading.BoundedSemaphore(self.most)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run ``work`` in a thread of the pool. Raises ExecutorFull."""
        places = self._places
        if places is not None and not places.acquire(blocking=False):
            self._count(refused=1)
            raise ExecutorFull(self.name)
        bound = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
        try:
            future = self._pool.submit(bound)
        except RuntimeError:  # the interpreter is shutting down
            if places is not None:
                places.release()
            raise
        self._count(calls=1)
        future.add_done_callback(lambda _: self._done())
        return future

    def _done(self) -> None:
        self._count(calls=-1)
        if self._places is not None:
            self._places.release()

    def _count(self, *, calls: int = 0, refused: int = 0) -> None:
        with self._counting:
            self.calls += calls
            self.refused += refused

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``submit`` for coroutines. A cancelled caller leaves its thread to finish."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def call(self, timeout: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``submit`` for threads. Raises ExecutorFull, and TimeoutError after ``timeout`` seconds.

        At most ``most`` callers wait at once. Work that has not begun by then is dropped.
        """
        future = self.submit(work, *args, **kwargs)
        try:
            return future.result(timeout)
        finally:
            future.cancel()

    def in_each_thread(self, work: Callable[[], object]) -> None:
        """Run ``work`` once in every thread, and wait. Only while nothing else is submitted."""
        everybody = threading.Barrier(self.threads)  # so that no thread takes two of the jobs

        def once() -> None:
            everybody.wait()
            work()

        wait([self._pool.submit(once) for _ in range(self.threads)])


HEALTH: Final = BoundedExecutor("health", threads=2, waiting=2)
"""The checks behind /readyz."""

METRICS: Final = BoundedExecutor("metrics", threads=2, waiting=None)
"""Database reads for /metrics: one at a time for each source."""

METRICS_TEXT: Final = BoundedExecutor("metrics text", threads=1, waiting=8)
"""Writing the text of /metrics."""

LOOKUPS: Final = BoundedExecutor("name lookups", threads=4, waiting=2)
"""Resolving host names, which may take many seconds. A thread of HTTP waits for each, so these and
those of STORAGE together are fewer than the threads of HTTP."""

STORAGE: Final = BoundedExecutor("storage", threads=6, waiting=2)
"""Opening a file of the media storage, which may be remote. A thread of HTTP waits for each."""

DOWNLOADS: Final = BoundedExecutor("downloads", threads=8, waiting=None)
"""What is read of a file once its download has begun: one read at a time for each."""

EXPORTS: Final = BoundedExecutor("exports", threads=2, waiting=None)
"""Database reads of exports that have begun: one at a time for each."""

STAFF_SOCKETS: Final = BoundedExecutor("staff sockets", threads=4, waiting=64)
"""Database reads of the dashboard's WebSockets."""

LISTEN_IN_AUDIT: Final = BoundedExecutor("listen-in audit", threads=2, waiting=None)
"""Audit entries of listening in: at most two for each member of staff that was admitted."""

TAPS: Final = BoundedExecutor("taps", threads=8, waiting=None)
"""Opening and closing what records a track: one at a time for each track."""

ENGINES: Final = BoundedExecutor("engine processes", threads=4, waiting=None)
"""Starting and ending the child processes of engines, and sending them jobs: one at a time each."""

MODELS: Final = BoundedExecutor("model files", threads=4, waiting=None)
"""Finding and downloading models, which may take minutes: once for each engine."""

WARMING: Final = BoundedExecutor("warming", threads=1, waiting=None)
"""What a process loads before it is ready."""

CHILDREN: Final = BoundedExecutor("child processes", threads=32, waiting=None)
"""Waiting for the processes of an installation to end: up to three waits for each."""

ALL: Final = (
    HEALTH,
    METRICS,
    METRICS_TEXT,
    LOOKUPS,
    STORAGE,
    DOWNLOADS,
    EXPORTS,
    STAFF_SOCKETS,
    LISTEN_IN_AUDIT,
    TAPS,
    ENGINES,
    MODELS,
    WARMING,
    CHILDREN,
)

WITH_DATABASE: Final = (HEALTH, METRICS, EXPORTS, STAFF_SOCKETS, LISTEN_IN_AUDIT)
"""Those whose threads hold a database connection each."""
