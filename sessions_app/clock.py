"""Time as the live pipeline sees it, so that tests can move it by hand."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only go forward, whatever happens to the machine's wall clock."""

    def time(self) -> float:
        """Seconds since a moment of this process's own: only for differences within it."""
        ...

    def epoch(self) -> float:
        """Unix time, by the wall clock as it is set now, at which ``time`` was 0.

        ``epoch() + time()`` is what other processes and the database can compare. Read it once per
        session: a step of the wall clock changes it, and must not move a call that has begun.
        """
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clocks. See ``Clock``."""

    def time(self) -> float:
        return time.monotonic()

    def epoch(self) -> float:
        return time.time() - time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
