"""How endpoints are doing, from their latest attempts."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q, Subquery
from django.db.models.functions import Coalesce

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
    """Two indexed queries, however long the history is."""
    return endpoints_health([endpoint])[0]


def endpoints_health(endpoints: Sequence[Endpoint]) -> list[Health]:
    """The health of many endpoints, in as many queries as for one."""
    since = _since([endpoint.pk for endpoint in endpoints])
    ranges = [Q(endpoint=pk, id__gte=first) for pk, first in since.items()]
    attempts = Attempt.objects.filter(reduce(or_, ranges)) if ranges else Attempt.objects.none()
    latest: dict[str, list[Attempt]] = {endpoint.pk: [] for endpoint in endpoints}
    fields = ("endpoint", "at", "duration_ms", "succeeded", "status_code", "error")
    # Sorted here: with ORDER BY, a planner may read the whole table in that order.
    for attempt in sorted(attempts.only(*fields), key=lambda each: each.pk, reverse=True):
        latest[attempt.endpoint_id].append(attempt)
    return [_health(latest[endpoint.pk]) for endpoint in endpoints]


def _since(endpoint_ids: list[str]) -> dict[str, int]:
    """The id of the oldest attempt that counts, for each endpoint that has any.

    One subquery for each endpoint: with a common one, the planner reads all attempts to find those
    of an endpoint that has none.
    """
    oldest = {
        f"since_{number}": Coalesce(
            _attempt_id(pk, "-id", LOOK_BACK - 1),
            _attempt_id(pk, "id", 0),  # it has fewer attempts
        )
        for number, pk in enumerate(endpoint_ids)
    }
    row = Endpoint.objects.filter(pk__in=endpoint_ids[:1]).annotate(**oldest).values(*oldest)
    found = zip(endpoint_ids, (row.first() or {}).values(), strict=False)
    return {pk: first for pk, first in found if first is not None}


def _attempt_id(endpoint_id: str, order: str, place: int) -> Subquery:
    ids = Attempt.objects.filter(endpoint=endpoint_id).order_by(order).values("id")
    return Subquery(ids[place : place + 1])


def _health(latest: list[Attempt]) -> Health:
    """From attempts, the latest first."""
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
