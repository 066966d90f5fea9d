"""Rate limits per key and group of endpoints, from the organization's plan."""

import time
from dataclasses import dataclass

from kallglot_site.accounts.models import ApiKey
from kallglot_site.api.errors import ApiError
from kallglot_site.api.throttle_stores import store

WINDOW = 60  # seconds; windows begin with the clock's minutes, the same for every process


class RateLimitExceeded(ApiError):
    code = "rate_limit_exceeded"


@dataclass(frozen=True, slots=True)
class Rate:
    """The limit of a key and its requests in this window. ``reset`` is in Unix seconds."""

    limit: int
    used: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - self.used, 0)),
            "X-RateLimit-Reset": str(self.reset),
        }

    def check(self) -> None:
        """Raises RateLimitExceeded if the window has more requests than the limit."""
        if self.used > self.limit:
            wait = max(self.reset - int(time.time()), 1)
            raise RateLimitExceeded(
                f"This key may make {self.limit} requests a minute here. Try again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )


def count_request(key: ApiKey, group: str) -> Rate:
    """Count one request of this key on this group of endpoints."""
    now = int(time.time())
    window = now - now % WINDOW
    used = store().increment(f"{key.pk}:{group}", window)
    return Rate(key.organization.requests_per_minute, used, window + WINDOW)
