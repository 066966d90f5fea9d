"""The base class of embedders: texts in, vectors out that are near for texts of like meaning.

Unlike the other engines an embedder is called from threads: by workers and requests. Coroutines
call it through an executor.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sessions_app.engines import metrics
from sessions_app.engines.failures import EngineError, EngineUnavailable

Vectors = npt.NDArray[np.float32]

MAX_TEXTS: Final = 64
"""Texts in one request to an engine. ``embed`` takes any number."""


class Embedder(ABC):
    """``name`` is stored with vectors: those of another name are not comparable. Thread-safe."""

    kind: Final = "embedder"
    name: str
    default_timeout: float = 30.0  # seconds, for each 64 texts

    def prepare(self) -> None:  # noqa: B027 - most engines have nothing to load
        """Load what the first request would wait for. Blocks. May raise anything."""

    def embed(self, texts: Sequence[str], *, timeout: float | None = None) -> Vectors:
        """One row of length 1 for each text: float32, shape (texts, dimensions).

        ``timeout``: seconds for each 64 texts. Raises ``EngineError``.
        """
        if not texts:
            return np.zeros((0, 0), np.float32)
        rows = [
            self._observed(texts[at : at + MAX_TEXTS], timeout or self.default_timeout)
            for at in range(0, len(texts), MAX_TEXTS)
        ]
        return normalized(np.concatenate(rows))

    def _observed(self, texts: Sequence[str], timeout: float) -> Vectors:
        started, outcome = time.perf_counter(), "ok"
        try:
            rows = np.asarray(self._embed(texts, timeout), np.float32)
            if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
                raise EngineUnavailable(f"{self.name} gave no vector for each text")
        except EngineError as error:
            outcome = type(error).__name__
            raise
        except Exception as error:  # its text may quote the texts
            outcome = "EngineUnavailable"
            raise EngineUnavailable(f"{self.name} failed: {type(error).__name__}") from error
        finally:
            metrics.observe_call(self.kind, self.name, outcome, time.perf_counter() - started)
        return rows

    @abstractmethod
    def _embed(self, texts: Sequence[str], timeout: float) -> Vectors:
        """A row for each of at most 64 texts, of any length. May raise anything."""


def normalized(rows: Vectors) -> Vectors:
    """The rows at length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
