"""Made speech as it was really heard: what is cleared before it is played was not.

The pace of sending says when a block is heard at the earliest. A client that reports what it has
played (``audio.played``, a telephony vendor's mark) also says how far it lags behind that.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sessions_app.clock import Clock
from sessions_app.media import PlacedFrame

LONGEST_LAG: Final = 2.0
"""Seconds that a client is believed to lag behind what it was sent."""

REPORTABLE: Final = 64
"""Blocks of which the client may still report that they were played: those of ``LONGEST_LAG``, and
many more than are sent ahead."""

REMEMBERED: Final = 64
"""Segments of which it is known how much was heard."""


@dataclass(frozen=True, slots=True)
class _Block:
    frame: PlacedFrame
    sequence: int
    heard_at: float  # on the clock, by the pace of sending

    @property
    def end(self) -> float:
        return self.heard_at + self.frame.duration


class HeardSpeech:
    """Of one connection. Keeps each block until its end has been heard. Belongs to the event loop.

    Args:
        heard: called with each block in order, once it has been heard.
    """

    def __init__(self, clock: Clock, heard: Callable[[PlacedFrame], None]) -> None:
        self._clock = clock
        self._heard = heard
        self._sent: deque[_Block] = deque()
        self._reportable: deque[_Block] = deque(maxlen=REPORTABLE)
        self._lag = 0.0
        self._seconds: OrderedDict[str, float] = OrderedDict()
        self._waiter: asyncio.Task[None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a block has been sent and not heard to its end."""
        return bool(self._sent)

    def seconds(self, segment_id: str) -> float:
        """Seconds of a segment's made speech that have been heard by now. 0 for a segment that is
        unknown, or followed by ``REMEMBERED`` others."""
        sounding = sum(
            min(max(0.0, self._since(block)), block.frame.duration)
            for block in self._sent
            if block.frame.segment_id == segment_id
        )
        return self._seconds.get(segment_id, 0.0) + sounding

    def add(self, frame: PlacedFrame, heard_at: float, sequence: int) -> None:
        """A block was sent. It begins to be heard at ``heard_at``, in the clock's seconds."""
        block = _Block(frame, sequence, heard_at)
        self._sent.append(block)
        self._reportable.append(block)
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.create_task(self._wait())

    def played(self, segment_id: str | None, sequence: int) -> bool:
        """The client reports that it has played everything up to this block. False: the block is of
        another segment. Of blocks that are not kept any more, or were taken back, nothing is
        learned: Twilio also returns the marks of what it has dropped."""
        block = next((each for each in self._reportable if each.sequence == sequence), None)
        if block is None:
            return True
        if block.frame.segment_id != segment_id:
            return False
        # Not sooner than it was sent: a client may report what it has only received.
        self._lag = min(max(0.0, self._clock.time() - block.end), LONGEST_LAG)
        self._tell_heard()
        return True

    def cut(self) -> list[str]:
        """The client plays nothing more of what it was sent. Returns the segments of which
        something remains unheard."""
        unheard: dict[str, None] = {}
        while self._sent:
            block = self._sent.popleft()
            heard = block.frame.until(self._since(block))
            if heard is not None:
                self._tell(heard)
            if heard is not block.frame and block.frame.segment_id is not None:
                unheard[block.frame.segment_id] = None
        self._reportable.clear()
        return list(unheard)

    def close(self) -> None:
        self.cut()
        if self._waiter is not None:
            self._waiter.cancel()

    async def _wait(self) -> None:
        while self._sent:
            left = self._sent[0].end + self._lag - self._clock.time()
            if left > 0:
                # Meanwhile the client may be told to drop it, or report a lag.
                await self._clock.sleep(left)
            else:
                self._tell(self._sent.popleft().frame)

    def _since(self, block: _Block) -> float:
        """Seconds since the block began to be heard; negative before."""
        return self._clock.time() - block.heard_at - self._lag

    def _tell_heard(self) -> None:
        while self._sent and self._since(self._sent[0]) >= self._sent[0].frame.duration:
            self._tell(self._sent.popleft().frame)

    def _tell(self, frame: PlacedFrame) -> None:
        if frame.segment_id is not None:
            before = self._seconds.pop(frame.segment_id, 0.0)
            self._seconds[frame.segment_id] = before + frame.duration
            if len(self._seconds) > REMEMBERED:
                self._seconds.popitem(last=False)
        self._heard(frame)
