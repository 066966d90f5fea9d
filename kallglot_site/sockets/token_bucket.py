"""A token bucket: limits a rate, and allows bursts."""

from collections.abc import Callable


class TokenBucket:
    """``rate`` tokens a second, at most ``size``. New tokens are counted only when it is empty, so
    that a message usually costs one subtraction."""

    __slots__ = ("_clock", "_filled_at", "rate", "size", "tokens")

    def __init__(self, rate: float, size: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.size = size
        self.tokens = size
        self._clock = clock
        self._filled_at = clock()

    def refill(self) -> float:
        """Seconds until the next token; 0 if there is one."""
        now = self._clock()
        self.tokens = min(self.size, self.tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return 0.0 if self.tokens >= 0 else -self.tokens / self.rate

    def take(self, tokens: float = 1.0) -> bool:
        """Whether there were enough tokens."""
        self.tokens -= tokens
        return self.tokens >= 0 or self.refill() <= 0
