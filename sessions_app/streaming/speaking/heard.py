"""Made speech as it was really heard: what is cleared before it is played was not."""

import asyncio
from collections import deque
from collections.abc import Callable

from sessions_app.clock import Clock
from sessions_app.media import PlacedFrame


class HeardSpeech:
    """Of one connection. Keeps each block until its end has been heard. Belongs to the event loop.

    Args:
        heard: called with each block in order, once it has been heard.
    """

    def __init__(self, clock: Clock, heard: Callable[[PlacedFrame], None]) -> None:
        self._clock = clock
        self._heard = heard
        self._sent: deque[tuple[float, PlacedFrame]] = deque()
        self._waiter: asyncio.Task[None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a block has been sent and not heard to its end."""
        return bool(self._sent)

    def add(self, frame: PlacedFrame, heard_at: float) -> None:
        """A block was sent. It begins to be heard at ``heard_at``, in the clock's seconds."""
        self._sent.append((heard_at, frame))
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.create_task(self._wait())

    def cut(self) -> None:
        """The client plays nothing more of what it was sent."""
        now = self._clock.time()
        while self._sent:
            heard_at, frame = self._sent.popleft()
            if (heard := frame.until(now - heard_at)) is not None:
                self._heard(heard)

    def close(self) -> None:
        self.cut()
        if self._waiter is not None:
            self._waiter.cancel()

    async def _wait(self) -> None:
        while self._sent:
            heard_at, frame = self._sent[0]
            left = heard_at + frame.duration - self._clock.time()
            if left > 0:
                await self._clock.sleep(left)
                continue  # the client may have been told to drop it meanwhile
            self._sent.popleft()
            self._heard(frame)
