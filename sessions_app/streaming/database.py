"""The gateway's way to the database: its own few threads, never the event loop."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")

# A process holds at most this many database connections for streaming, whatever its load.
_THREADS: Final = ThreadPoolExecutor(max_workers=6, thread_name_prefix="gateway-database")


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service or selector in a thread of its own, with connections looked after."""
    call: Any = database_sync_to_async(work, thread_sensitive=False, executor=_THREADS)
    result: R = await call(*args, **kwargs)
    return result
