"""The priority queue of the model: finals first, then speculative requests, then partials."""

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field

from sessions_app.engines.base import Priority, Transcription, TranscriptionRequest


@dataclass(slots=True, eq=False)
class Entry:
    """One request and the future that its caller awaits."""

    request: TranscriptionRequest
    future: "asyncio.Future[Transcription]"
    priority: Priority
    crashes: int = 0  # times that the engine process failed with it
    order: int = field(default=0)

    @property
    def cancelled(self) -> bool:
        """The caller no longer waits for the answer."""
        return self.future.done()


class RequestQueue:
    """Entries ordered by priority, then by arrival. Belongs to one event loop."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []
        self._arrivals = itertools.count()

    def push(self, entry: Entry) -> None:
        """Add an entry. An entry that is retried keeps its place."""
        entry.order = entry.order or next(self._arrivals) + 1
        heapq.heappush(self._heap, (entry.priority, entry.order, entry))

    def promote(self, request: TranscriptionRequest, priority: Priority) -> bool:
        """Give a waiting request a higher priority; whether it was still waiting."""
        for _, order, entry in self._heap:
            if entry.request is request and not entry.cancelled:
                if priority < entry.priority:
                    entry.priority = priority
                    heapq.heappush(self._heap, (priority, order, entry))
                return True
        return False

    def take(self, limit: int, seconds: float) -> list[Entry]:
        """The next batch: up to ``limit`` entries of the highest waiting priority, in order.

        A batch holds at most ``seconds`` of audio, so that later requests do not wait long; its
        first entry may be longer. An entry whose batch failed is retried alone.
        """
        batch: list[Entry] = []
        total = 0.0
        while (entry := self._first()) is not None and len(batch) < limit:
            if batch and (entry.priority != batch[0].priority or entry.crashes or batch[0].crashes):
                break
            total += entry.request.duration
            if batch and total > seconds:
                break
            heapq.heappop(self._heap)
            batch.append(entry)
        return batch

    def waiting(self) -> list[Entry]:
        """All entries that are not cancelled."""
        return [
            entry
            for priority, _, entry in self._heap
            if not entry.cancelled and entry.priority == priority
        ]

    def holds(self, request: TranscriptionRequest) -> bool:
        """Whether the request has not been taken; also true if it was cancelled while it waited."""
        return any(
            entry.request is request and entry.priority == priority
            for priority, _, entry in self._heap
        )

    def _first(self) -> Entry | None:
        # Cancelled and promoted entries stay in the heap at their old place: drop them here.
        while self._heap:
            priority, _, entry = self._heap[0]
            if not entry.cancelled and entry.priority == priority:
                return entry
            heapq.heappop(self._heap)
        return None
