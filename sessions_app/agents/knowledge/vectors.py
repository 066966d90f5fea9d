"""Vectors of passages: made by the configured embedder, compared in memory.

Each process keeps the vectors of the bases that it searched last as one matrix per base. A base's
``version`` in the database says whether a matrix is still right.
"""

import functools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from django.conf import settings

from sessions_app.agents.models import Document, KnowledgeBase, Passage
from sessions_app.engines.embedding import Embedder, Vectors
from sessions_app.engines.registry import embedder_from_url
from sessions_app.engines.urls import EngineContext

MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes of the matrices that a process keeps. 50,000 passages in 384 dimensions are 77 MB."""


def configured_embedder() -> Embedder | None:
    """The embedder of the settings, the same for the whole process; None: there is none.

    Raises EngineMisconfigured.
    """
    return _embedder(settings.EMBEDDER_URL) if settings.EMBEDDER_URL else None


@functools.lru_cache(maxsize=4)
def _embedder(url: str) -> Embedder:
    return embedder_from_url(url, EngineContext(data_dir=settings.DATA_DIR))


def packed(vector: npt.NDArray[np.float32]) -> bytes:
    """A vector as it is stored: float32, little-endian."""
    return vector.astype("<f4").tobytes()


@dataclass(frozen=True, slots=True)
class _Matrix:
    version: int
    passage_ids: npt.NDArray[np.int64]
    rows: Vectors

    @property
    def size(self) -> int:
        return self.rows.nbytes + self.passage_ids.nbytes


class _Matrices:
    """The matrices of this process, those searched last. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Matrix] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        """One at a time: many searches of a base that has just changed load it once."""

    def get(self, base: KnowledgeBase, embedder: str, dimensions: int) -> _Matrix:
        key = (base.id, embedder)
        if (kept := self._current(key)) is not None:
            return kept
        with self._loading:
            if (kept := self._current(key)) is not None:
                return kept
            loaded = _load(base, embedder, dimensions)
            with self._lock:
                self._kept[key] = loaded
                self._kept.move_to_end(key)
                while len(self._kept) > 1 and sum(m.size for m in self._kept.values()) > MAX_MEMORY:
                    self._kept.popitem(last=False)
            return loaded

    def _current(self, key: tuple[str, str]) -> _Matrix | None:
        version = _version(key[0])
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.version != version:
                return None
            self._kept.move_to_end(key)
            return kept

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


MATRICES: Final = _Matrices()


def _version(base_id: str) -> int | None:
    return KnowledgeBase.objects.filter(pk=base_id).values_list("version", flat=True).first()


def _load(base: KnowledgeBase, embedder: str, dimensions: int) -> _Matrix:
    version = _version(base.id) or 0  # read first: what is loaded afterwards is at least as new
    documents = Document.objects.filter(knowledge_base=base, embedder=embedder)
    passages = Passage.objects.filter(document__in=documents).exclude(vector=None)
    ids: list[int] = []
    content = bytearray()
    for passage_id, stored in passages.order_by("id").values_list("id", "vector").iterator():
        vector = bytes(stored or b"")
        if len(vector) == 4 * dimensions:  # a model may have been changed under its name
            ids.append(passage_id)
            content += vector
    rows = np.frombuffer(content, "<f4").reshape(len(ids), dimensions)
    return _Matrix(version, np.array(ids, np.int64), rows)


def rank_by_meaning(
    base: KnowledgeBase, query: str, limit: int, *, timeout: float
) -> dict[int, float]:
    """Similarities (cosine, -1…1) of the nearest passages by their ids, nearest first.

    Empty without an embedder. Raises EngineError.
    """
    embedder = configured_embedder()
    if embedder is None or not query.strip():
        return {}
    vector = embedder.embed([query], timeout=timeout)[0]
    matrix = MATRICES.get(base, embedder.name, len(vector))
    if not len(matrix.rows):
        return {}
    similarities = matrix.rows @ vector
    nearest = np.argsort(-similarities, kind="stable")[:limit]
    return {int(matrix.passage_ids[place]): float(similarities[place]) for place in nearest}
