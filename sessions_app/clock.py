"""Time as the live pipeline sees it, so that tests can move it by hand."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock-like seconds since the epoch that never go backwards within a process."""

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock, read once; after that it is monotonic.

    Arrival times of one session are compared across processes, hence the epoch; and a step of
    the machine's clock in the middle of a call must not tear a hole into its timeline.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def time(self) -> float:
        return self._offset + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
