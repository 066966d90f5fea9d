"""Thread pools for blocking work, one for each concern, so that none can hold up another.

The pools of one process do not share threads, and none has an endless queue: work that finds its
pool and queue full is refused at once.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ExecutorFull(Exception):
    """All threads of the pool are busy, and as much as may wait is waiting."""


class BoundedExecutor:
    """``threads`` at work and ``waiting`` calls in the queue, at most."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self.name = name
        self._places = threading.BoundedSemaphore(threads + waiting)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run ``work`` in a thread of the pool. Raises ExecutorFull."""
        if not self._places.acquire(blocking=False):
            raise ExecutorFull(self.name)
        bound = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
        try:
            future = self._pool.submit(bound)
        except RuntimeError:  # the interpreter is shutting down
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())
        return future

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``submit`` for coroutines. A cancelled caller leaves its thread to finish."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def call(self, timeout: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``submit`` for threads. Raises ExecutorFull, and TimeoutError after ``timeout`` seconds.

        The caller waits too: what bounds the callers held up is threads plus waiting.
        """
        return self.submit(work, *args, **kwargs).result(timeout)


HEALTH: Final = BoundedExecutor("health", threads=2, waiting=2)
"""The checks behind /readyz."""

LOOKUPS: Final = BoundedExecutor("name lookups", threads=4, waiting=2)
"""Resolving host names, which may take many seconds. Fewer than the threads of HTTP."""

STORAGE: Final = BoundedExecutor("storage reads", threads=8, waiting=32)
"""Reads from the media storage, which may be remote."""
