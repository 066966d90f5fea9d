"""The gateway's way to the database: its own few threads, never the event loop."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final, ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS: Final = 6
"""A process holds at most this many database connections for streaming, whatever its load."""

_POOL: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-database")


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service or selector in a thread of its own, with connections looked after."""
    call: Any = database_sync_to_async(work, thread_sensitive=False, executor=_POOL)
    result: R = await call(*args, **kwargs)
    return result


def connections_close() -> None:
    """Close every thread's connection, once nothing is under way; they open anew when needed."""
    everybody = threading.Barrier(THREADS)  # so that no thread takes two of the jobs

    def close() -> None:
        everybody.wait()
        connections.close_all()

    wait([_POOL.submit(close) for _ in range(THREADS)])
