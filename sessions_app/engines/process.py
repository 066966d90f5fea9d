"""A process of an engine's own: spawned, niced, replaced when it dies or hangs.

A native crash or a hang in a model must cost an utterance, never the calls; and engines must
never take the processor from the frames that are coming in.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from sessions_app.engines import metrics
from sessions_app.engines.base import EngineError, EngineTimeout, EngineUnavailable

# Children inherit these. numpy's threads gain next to nothing there, and wait by burning a core;
# and every heap that glibc keeps for a thread grows to the largest utterance it has ever seen.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MALLOC_ARENA_MAX", "2")

_NICENESS = 5
_LOADING = 180.0  # s


class WorkerProcess:
    """One child process that loads something once and then runs one job at a time.

    ``load`` and every job are module-level functions; what ``load`` keeps lives in their module,
    in the child. Belongs to one event loop.
    """

    def __init__(self, name: str, load: Callable[..., Any], *arguments: Any) -> None:
        self._name = name
        self._load = load
        self._arguments = arguments
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._started_before = False
        self.loaded: Any = None
        """What ``load`` returned."""

    @property
    def running(self) -> bool:
        """Whether a loaded child is there (it may have died since)."""
        return self._pool is not None

    async def start(self) -> None:
        """Spawn the child and load, unless that has happened. Raises ``EngineError``."""
        async with self._turn:
            await self._ensure()

    async def run(self, seconds: float, job: Callable[..., Any], *arguments: Any) -> Any:
        """The job's answer, from a child started if need be; waiting for a turn is not counted.

        ``EngineUnavailable`` when the child died, ``EngineTimeout`` when it took longer than
        ``seconds``: then it has been killed, and the next job gets a new one.
        """
        async with self._turn:
            await self._ensure()
            return await self._submit(seconds, job, *arguments)

    async def stop(self) -> None:
        """End the child now, whatever it is doing; a job under way is ``EngineUnavailable``."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            with contextlib.suppress(ProcessLookupError, ValueError):
                process.kill()
        await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    async def _ensure(self) -> None:
        if self._pool is not None:
            return
        if self._started_before:
            metrics.RESTARTS.labels(self._name).inc()
        self._started_before = True
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_settle_in)
        try:
            self.loaded = await self._submit(_LOADING, self._load, *self._arguments)
        except BaseException:
            await self.stop()
            raise

    async def _submit(self, seconds: float, job: Callable[..., Any], *arguments: Any) -> Any:
        assert self._pool is not None
        try:
            # Spawning blocks for some milliseconds, so even handing over happens in a thread.
            future = await asyncio.to_thread(self._pool.submit, job, *arguments)
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            await self.stop()
            raise EngineTimeout(f"the process of {self._name} hung and was ended") from None
        except BrokenProcessPool as error:
            await self.stop()
            raise EngineUnavailable(f"the process of {self._name} died") from error
        except EngineError:
            raise
        except Exception as error:  # raised in the child, which lives on; it may quote content
            raise EngineUnavailable(f"{self._name} failed: {type(error).__name__}") from error


def _settle_in() -> None:
    """In the child: give way to the gateway, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    logging.basicConfig(level=logging.WARNING)  # libraries write texts at lower levels
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(0)
