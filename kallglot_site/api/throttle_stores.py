"""Where requests are counted: exact across all processes that share an installation."""

import threading
from abc import ABC, abstractmethod


class Store(ABC):
    """Counts hits per name and window (its start in Unix seconds)."""

    @abstractmethod
    def increment(self, name: str, window: int) -> int:
        """Count one hit; how many there are in the window, this one included."""


class MemoryStore(Store):
    """For one process."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def increment(self, name: str, window: int) -> int:
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            used = self._counts[name] = self._counts.get(name, 0) + 1
            return used


_store = MemoryStore()


def store() -> Store:
    return _store
