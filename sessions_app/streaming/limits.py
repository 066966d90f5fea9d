"""How much one connection may send, in numbers, and the bucket that counts it."""

from collections.abc import Callable
from typing import Any, Final

LARGEST_MESSAGE: Final = 64 * 1024
"""Bytes of one WebSocket message."""

MESSAGES_PER_SECOND: Final = 500.0
MESSAGES_AT_ONCE: Final = 1000.0
"""A stereo call in 10 ms frames is 200 messages a second; the rest is for catching up after a
stall and for files sent faster than real time."""

BYTES_PER_TOKEN: Final = 8192

PINGS_PER_SECOND: Final = 10.0
PINGS_AT_ONCE: Final = 50.0

HONEST_FRAME: Final = 0.01
"""Seconds of audio in a frame; too many frames of at least that are slowed down, not refused."""

MALFORMED_IN_A_ROW: Final = 20
MALFORMED_COST: Final = 10.0

WAITING_MESSAGES: Final = 1000
WAITING_BYTES: Final = 16 * 1024 * 1024
"""What may wait unread in a server that does not pause its senders."""

SILENCE: Final = 60.0
"""Seconds without any message after which a speaking connection is closed."""

OUTBOX_MESSAGES: Final = 512
OUTBOX_BYTES: Final = 2 * 1024 * 1024
"""What may wait for a client that does not read."""


class TokenBucket:
    """``rate`` tokens a second, at most ``size``. Counted only when it runs empty: the usual cost
    of a message is one subtraction."""

    __slots__ = ("_clock", "_filled_at", "rate", "size", "tokens")

    def __init__(self, rate: float, size: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.size = size
        self.tokens = size
        self._clock = clock
        self._filled_at = clock()

    def refill(self) -> float:
        """Seconds until there is a token again; 0: there is one."""
        now = self._clock()
        self.tokens = min(self.size, self.tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return 0.0 if self.tokens >= 0 else -self.tokens / self.rate

    def take(self, tokens: float = 1.0) -> bool:
        """Whether there was enough."""
        self.tokens -= tokens
        return self.tokens >= 0 or self.refill() <= 0


def unread_messages(receive: Any) -> int:
    """Messages the server has read and we have not. 0 where the server pauses its senders.

    Daphne reads without limit into a queue whose ``get`` is our ``receive``; nothing in ASGI
    tells how full it is, hence the look behind it.
    """
    queue = getattr(receive, "__self__", None)
    size = getattr(queue, "qsize", None)
    return int(size()) if callable(size) else 0
