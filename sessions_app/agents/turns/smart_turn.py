"""The smart-turn model: from how the last words sounded, whether the speaker has finished.

It works in a child process with one thread and takes about 0.1 s of one core for 8 s of speech.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kallglot_site import executors
from sessions_app.agents.turns.features import SECONDS, log_mel
from sessions_app.agents.turns.model_file import locate
from sessions_app.engines.base import EngineError, EngineOverloaded, EngineUnavailable
from sessions_app.engines.process import WorkerProcess

_MOST_WAITING: Final = 8
"""Requests. A turn cannot wait for more: silence and the words decide instead."""

_FETCH_AGAIN: Final = 300.0
"""Seconds after a failure. Without a network, every pause of a caller would start pip."""

_session: Any = None  # in the child


class SmartTurn:
    """``models_dir`` is where the model's file is or is put. Belongs to one event loop.

    ``timeout`` is in seconds, for one answer; a child that takes longer is replaced.
    """

    def __init__(self, models_dir: Path, timeout: float = 2.0) -> None:
        self._timeout = timeout
        self._models_dir = models_dir
        self._worker: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._waiting = 0
        self._fetch_from = 0.0  # on the clock of ``time.monotonic``

    async def start(self) -> None:
        """Fetch the file if it is missing, and load it. Raises ``EngineError``."""
        async with self._starting:
            if self._worker is None:
                path = await self._located()
                self._worker = WorkerProcess("smart-turn", _load, str(path))
        await self._worker.start()

    async def _located(self) -> Path:
        if time.monotonic() < self._fetch_from:
            raise EngineUnavailable("the smart-turn model could not be fetched")
        try:
            return await executors.ENGINES.run(locate, self._models_dir)
        except EngineError:
            self._fetch_from = time.monotonic() + _FETCH_AGAIN
            raise

    async def close(self) -> None:
        """Stop the child."""
        if self._worker is not None:
            await self._worker.stop()

    async def probability(self, audio: npt.NDArray[np.int16], sample_rate: int) -> float:
        """How likely it is, 0…1, that the speaker of ``audio`` has finished.

        ``audio`` is mono and ends with the silence so far; 0.2 s of it are enough. The last 8 s are
        looked at. Raises ``EngineError``.
        """
        if self._waiting >= _MOST_WAITING:
            raise EngineOverloaded("smart-turn is full")
        self._waiting += 1
        try:
            await self.start()
            assert self._worker is not None
            last = audio[-sample_rate * SECONDS :]
            answer: float = await self._worker.run(self._timeout, _probability, last, sample_rate)
            return answer
        finally:
            self._waiting -= 1


def _load(path: str) -> None:
    global _session
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    _session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    _probability(np.zeros(1, np.int16), 16_000)  # the first one is slow


def _probability(audio: npt.NDArray[np.int16], sample_rate: int) -> float:
    [answer] = _session.run(None, {"input_features": log_mel(audio, sample_rate)})
    return float(answer[0][0])
