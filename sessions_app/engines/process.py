"""A child process for an engine: spawned, with low priority, replaced when it crashes or hangs.

A native crash or a hang in a model may cost an utterance, but no call. The low priority keeps the
processor free for incoming audio.
"""

import asyncio
import contextlib
import ctypes
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

from kallglot_site import executors
from sessions_app.engines import metrics
from sessions_app.engines.base import EngineError, EngineTimeout, EngineUnavailable

# Child processes inherit these. numpy's threads hardly help there and use a core while they wait.
# Each glibc arena grows to the largest utterance that its thread has had.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MALLOC_ARENA_MAX", "2")

_CONTEXT = multiprocessing.get_context("spawn")
_NICENESS = 5
_LOAD_TIMEOUT = 180.0  # s


class WorkerProcess:
    """A child process that calls ``load`` once and then runs one job at a time.

    ``load`` and all jobs are module-level functions; ``load`` keeps what they need in module
    variables of the child. Belongs to one event loop.
    """

    def __init__(self, name: str, load: Callable[..., Any], *arguments: Any) -> None:
        self._name = name
        self._load = load
        self._arguments = arguments
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._running: asyncio.Future[Any] | None = None
        self._started_before = False
        self._stops = 0
        self._hurry = _CONTEXT.RawValue(ctypes.c_bool, False)
        self.loaded: Any = None
        """The return value of ``load``."""

    @property
    def hurry(self) -> bool:
        """Whether other work waits; the running job sees it at once: see ``hurried``."""
        return bool(self._hurry.value)

    @hurry.setter
    def hurry(self, waits: bool) -> None:
        self._hurry.value = waits

    @property
    def running(self) -> bool:
        """Whether a child was started (it may have died since)."""
        return self._pool is not None

    async def start(self) -> None:
        """Spawn the child and load, if that is not done yet. Raises ``EngineError``."""
        async with self._turn:
            await self._ensure()

    async def run(self, seconds: float, job: Callable[..., Any], *arguments: Any) -> Any:
        """The job's result; the child is started if needed. Waiting for other jobs is not counted.

        Raises ``EngineUnavailable`` when the child dies or is stopped, and ``EngineTimeout`` after
        ``seconds``: then the child is killed, and the next job starts a new one. A caller that is
        cancelled leaves the job to end or be killed at that time, since a child cannot be
        interrupted.
        """
        stops = self._stops
        await self._turn.acquire()
        running = asyncio.ensure_future(self._run(stops, seconds, job, *arguments))
        running.add_done_callback(self._end_turn)
        self._running = running  # the event loop holds tasks only weakly
        # shield() of Python 3.14 logs late errors with their cause, which may hold spoken words.
        await asyncio.wait([running])
        return running.result()

    async def _run(
        self, stops: int, seconds: float, job: Callable[..., Any], *arguments: Any
    ) -> Any:
        if stops != self._stops:
            raise EngineUnavailable(f"the process of {self._name} was stopped")
        await self._ensure()
        return await self._submit(seconds, job, *arguments)

    def _end_turn(self, ended: asyncio.Future[Any]) -> None:
        self._turn.release()
        if not ended.cancelled():
            ended.exception()  # retrieves it, since the caller may be gone

    async def stop(self) -> None:
        """Kill the child; running and waiting jobs fail with ``EngineUnavailable``."""
        self._stops += 1
        await self._kill()

    async def _kill(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            with contextlib.suppress(ProcessLookupError, ValueError):
                process.kill()
        await executors.ENGINES.run(pool.shutdown, wait=True, cancel_futures=True)

    async def _ensure(self) -> None:
        if self._pool is not None:
            return
        if self._started_before:
            metrics.RESTARTS.labels(self._name).inc()
        self._started_before = True
        self._pool = ProcessPoolExecutor(
            1, mp_context=_CONTEXT, initializer=_initialize_child, initargs=(self._hurry,)
        )
        try:
            self.loaded = await self._submit(_LOAD_TIMEOUT, self._load, *self._arguments)
        except BaseException:
            await self._kill()
            raise

    async def _submit(self, seconds: float, job: Callable[..., Any], *arguments: Any) -> Any:
        assert self._pool is not None
        try:
            # submit() may spawn the child, which blocks for milliseconds: not on the event loop.
            future = await executors.ENGINES.run(self._pool.submit, job, *arguments)
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            await self._kill()
            raise EngineTimeout(f"the process of {self._name} hung and was killed") from None
        except BrokenProcessPool as error:
            await self._kill()
            raise EngineUnavailable(f"the process of {self._name} died") from error
        except EngineError:
            raise
        except (
            Exception
        ) as error:  # raised in the child, which still works; its text may hold spoken words
            raise EngineUnavailable(f"{self._name} failed: {type(error).__name__}") from error


_hurry: Any = None  # in the child: shared with the parent, without a lock that a crash would keep


def hurried() -> bool:
    """In the child: whether the parent says that other work waits."""
    return _hurry is not None and bool(_hurry.value)


def _initialize_child(hurry: Any) -> None:
    """In the child: lower its priority, and exit when the parent dies."""
    global _hurry
    _hurry = hurry
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    logging.basicConfig(level=logging.WARNING)  # at lower levels libraries log spoken words
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel,), daemon=True).start()


def _exit_with_parent(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(0)
