"""Thread pools that tests fill."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kallglot_site.executors import BoundedExecutor


@contextmanager
def full_executor() -> Iterator[BoundedExecutor]:
    """A pool that refuses everything until the context ends: its only thread is busy."""
    release = threading.Event()
    executor = BoundedExecutor("full", threads=1, waiting=0)
    busy = executor.submit(release.wait, 60)
    try:
        yield executor
    finally:
        release.set()
        busy.result()
