"""The one queue in front of the model: finals first, then speculation, then partials."""

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field

from sessions_app.engines.base import Priority, Transcription, TranscriptionRequest


@dataclass(slots=True, eq=False)
class Entry:
    """One request and the future its caller waits on."""

    request: TranscriptionRequest
    future: "asyncio.Future[Transcription]"
    priority: Priority
    crashes: int = 0  # times the engine process died with it
    order: int = field(default=0)

    @property
    def abandoned(self) -> bool:
        """Nobody waits for the answer any more."""
        return self.future.done()


class RequestQueue:
    """Entries by priority, then by arrival. Belongs to one event loop."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []
        self._arrivals = itertools.count()

    def push(self, entry: Entry) -> None:
        """Add an entry; one that was in work before keeps its place in line."""
        entry.order = entry.order or next(self._arrivals) + 1
        heapq.heappush(self._heap, (entry.priority, entry.order, entry))

    def promote(self, request: TranscriptionRequest, priority: Priority) -> bool:
        """Move a waiting request up; whether it was still waiting."""
        for _, order, entry in self._heap:
            if entry.request is request and not entry.abandoned:
                if priority < entry.priority:
                    entry.priority = priority
                    heapq.heappush(self._heap, (priority, order, entry))
                return True
        return False

    def take(self, limit: int, seconds: float) -> list[Entry]:
        """The next batch: up to ``limit`` entries of the foremost priority, in line order.

        They hold at most ``seconds`` of audio together, so that whoever comes next does not wait
        long; the first is taken whatever its length. One that was in a batch that crashed runs
        alone from then on.
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
        """Every entry somebody waits for."""
        return [
            entry
            for priority, _, entry in self._heap
            if not entry.abandoned and entry.priority == priority
        ]

    def _first(self) -> Entry | None:
        # Withdrawn and promoted entries leave their old place behind; drop it when it surfaces.
        while self._heap:
            priority, _, entry = self._heap[0]
            if not entry.abandoned and entry.priority == priority:
                return entry
            heapq.heappop(self._heap)
        return None
