"""How endpoints are doing, from their latest attempts."""

import datetime
from dataclasses import dataclass

from webhooks_app.models import Attempt, Endpoint

LOOK_BACK = 50  # attempts
WIDTH, HEIGHT = 120, 24


@dataclass(frozen=True, slots=True)
class Health:
    """``success`` in percent, None before any attempt; ``line``: points of an SVG polyline."""

    attempts: int
    success: int | None
    last_failure_at: datetime.datetime | None
    last_failure: str
    typical_ms: int | None
    line: str

    @property
    def tone(self) -> str:
        if self.success is None:
            return ""
        return "ok" if self.success >= 95 else "warn" if self.success >= 50 else "bad"


def endpoint_health(endpoint: Endpoint) -> Health:
    """One indexed query, whatever the history's length."""
    latest = list(
        Attempt.objects.filter(endpoint=endpoint)
        .order_by("-id")
        .only("at", "duration_ms", "succeeded", "status_code", "error")[:LOOK_BACK]
    )
    failure = next((attempt for attempt in latest if not attempt.succeeded), None)
    times = [attempt.duration_ms for attempt in reversed(latest)]
    return Health(
        attempts=len(latest),
        success=round(100 * sum(each.succeeded for each in latest) / len(latest))
        if latest
        else None,
        last_failure_at=failure.at if failure else None,
        last_failure=(failure.error or f"HTTP {failure.status_code}") if failure else "",
        typical_ms=sorted(times)[len(times) // 2] if times else None,
        line=_line(times),
    )


def _line(times: list[int]) -> str:
    """Durations as a line; the slowest touches the top."""
    if len(times) < 2:
        return ""
    top = max(*times, 1)
    step = WIDTH / (len(times) - 1)
    return " ".join(
        f"{index * step:.1f},{HEIGHT - 2 - (HEIGHT - 4) * time / top:.1f}"
        for index, time in enumerate(times)
    )
