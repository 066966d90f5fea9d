"""An embedder whose vectors a test can foresee."""

from collections.abc import Sequence

import numpy as np

from sessions_app.engines.embedding import Embedder, Vectors
from sessions_app.engines.failures import EngineError


class FakeEmbedder(Embedder):
    """A dimension for each topic: how many of its words a text has. ``error`` is raised if set."""

    def __init__(self, *topics: str, name: str = "fake") -> None:
        self.name = name
        self.topics = [topic.split() for topic in topics]
        self.error: EngineError | None = None
        self.texts: list[str] = []

    def _embed(self, texts: Sequence[str], timeout: float) -> Vectors:
        if self.error is not None:
            raise self.error
        self.texts += texts
        counted = [
            [0.01, *(sum(word in text.lower() for word in topic) for topic in self.topics)]
            for text in texts
        ]
        return np.array(counted, np.float32)
