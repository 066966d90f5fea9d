"""When a failed delivery is sent again.

A receiver that is restarting is back within minutes; one that broke on a Friday evening should
still get its events on Sunday. So the waits grow from a minute to a day, about 41 hours in all.
``Retry-After`` can make a wait longer, never shorter: eight quick refusals must not use up the
schedule. Jitter keeps a receiver's missed events from coming back all at once. A redelivery starts
the schedule anew.
"""

import datetime
import email.utils
import random
from collections.abc import Callable

DELAYS = (60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 86_400.0)  # seconds after the one before
JITTER = 0.1  # each wait is up to this much longer
MAX_RETRY_AFTER = 86_400.0  # seconds: the most a receiver may put one delivery off
MAX_PAUSE = 3600.0  # seconds: the most it may put off everything
SLOWED_BY = frozenset({429, 502, 503, 504})
MAX_SLOWDOWN = 5
FAILING_LIMIT = datetime.timedelta(days=3)


def next_attempt_at(
    tries: int,
    now: datetime.datetime,
    retry_after: float | None = None,
    *,
    chance: Callable[[], float] = random.random,
) -> datetime.datetime | None:
    """When the attempt after the ``tries``-th (from 1) is due; None when that was the last."""
    if tries > len(DELAYS):
        return None
    wait = DELAYS[tries - 1] * (1 + JITTER * chance())
    return now + datetime.timedelta(seconds=max(wait, min(retry_after or 0.0, MAX_RETRY_AFTER)))


def pause_seconds(slowdown: int, retry_after: float | None) -> float:
    """How long an endpoint gets nothing after its ``slowdown``-th answer of 429 or 502 to 504."""
    return min(max(1.0, retry_after or float(2**slowdown)), MAX_PAUSE)


def retry_after_seconds(value: str | None, now: datetime.datetime) -> float | None:
    """``Retry-After`` (RFC 9110, 10.2.3) in seconds from now. None: absent or nonsense."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return max(0.0, (at - now).total_seconds())
