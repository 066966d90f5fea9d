"""A clock for tests, which moves only when a test says so."""

import asyncio
import heapq
import itertools


class VirtualClock:
    """A ``clock.Clock``. ``await advance(s)`` wakes everything that is due within ``s`` seconds."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def epoch(self) -> float:
        return 1_700_000_000.0

    def stall(self, seconds: float) -> None:
        """Let time pass while the event loop is blocked: sleepers wake late."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move on, and wake sleepers one after another, each at its own time."""
        target = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not waiter.done():
                waiter.set_result(None)
            await settle()
        self._now = target


async def settle() -> None:
    """Let every task run until it waits for something that is not ready."""
    for _ in range(20):
        await asyncio.sleep(0)
