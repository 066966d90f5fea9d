"""The engine's own process: spawned, niced, replaced when it dies or hangs.

A native crash or a hang in the model must cost an utterance, never the calls; and recognition
must never take the processor from the frames that are coming in.
"""

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sessions_app.engines.base import EngineTimeout, EngineUnavailable
from sessions_app.engines.whisper.recognizer import Recognized, Recognizer, Utterance

_NICENESS = 5


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What the child loads. ``threads`` 0: all cores."""

    model: Path
    device: str = "auto"
    compute_type: str = "default"
    threads: int = 0
    beam_size: int = 1


class EngineProcess:
    """One child process with one loaded model. Use from one event loop, one batch at a time."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._pool: ProcessPoolExecutor | None = None

    @property
    def running(self) -> bool:
        """Whether a loaded child is there (it may have died since)."""
        return self._pool is not None

    async def start(self, timeout: float = 120.0) -> frozenset[str]:  # noqa: ASYNC109 - also kills
        """Spawn the child and load the model; the languages it knows."""
        await self.stop()
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_settle_in)
        languages: frozenset[str] = await self._run(timeout, _load, self._settings)
        return languages

    async def recognize(self, utterances: Sequence[Utterance], timeout: float) -> list[Recognized]:  # noqa: ASYNC109 - also kills
        """Run one batch. ``EngineUnavailable`` when the child died, ``EngineTimeout`` when it hung;
        either way it is gone and ``start`` makes a new one."""
        answers: list[Recognized] = await self._run(timeout, _recognize, list(utterances))
        return answers

    async def stop(self) -> None:
        """End the child now, whatever it is doing."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            with contextlib.suppress(ProcessLookupError, ValueError):
                process.kill()
        await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    async def _run(self, seconds: float, function: Any, *arguments: Any) -> Any:
        if self._pool is None:
            raise EngineUnavailable("the speech engine's process is not running")
        try:
            # Spawning blocks for some milliseconds, so even handing over happens in a thread.
            future = await asyncio.to_thread(self._pool.submit, function, *arguments)
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            await self.stop()
            raise EngineTimeout("the speech engine's process hung and was replaced") from None
        except BrokenProcessPool as error:
            await self.stop()
            raise EngineUnavailable("the speech engine's process died") from error
        except Exception as error:  # raised in the child, which lives on; it may quote audio
            raise EngineUnavailable(f"the speech model failed: {type(error).__name__}") from error


# -- in the child ------------------------------------------------------------------------------

_recognizer: Recognizer | None = None


def _settle_in() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """Do not outlive a parent that was killed."""
    multiprocessing.connection.wait([sentinel])
    os._exit(0)


def _load(settings: ModelSettings) -> frozenset[str]:
    global _recognizer
    _recognizer = Recognizer(
        settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=settings.threads or os.cpu_count() or 1,
        beam_size=settings.beam_size,
    )
    _recognizer.warm_up()
    return _recognizer.languages


def _recognize(utterances: list[Utterance]) -> list[Recognized]:
    assert _recognizer is not None
    return _recognizer.recognize(utterances)
