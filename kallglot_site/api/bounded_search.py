"""A page of what no index answers, at a cost that is bounded whatever is asked for.

Rows are read in the order of the list, a stretch at a time, until the page is full, the list ends
or the time is up. In that last case the page says how far it has looked, and the next one goes on
from there: a million rows without a match are read in a few pages, none of which takes long.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db.models import Model, QuerySet

from kallglot_site.api.pagination import KeysetPagination

PATIENCE: Final = 0.18
"""Seconds of reading. The page around it wants some, too, of the third of a second it may take."""
FIRST_STRETCH: Final = 5000
"""Rows. The first stretch shows how fast it goes; the second may take half of the time left."""

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """Rows, newest first, and whether more follow. ``reached``: where time was up, an id."""

    rows: list[M]
    more: bool
    reached: str | None = None


def look_through(
    rows: QuerySet[M],
    page: KeysetPagination,
    matching: Callable[[QuerySet[M], bool], QuerySet[M]],
    *,
    stretch: int,
) -> Found[M]:
    """Those of ``rows`` that match, from the page's cursor on.

    Args:
        matching: given a stretch of the rows in the direction of travel, and whether it is the
            first, those of them that match, in the same order.
        stretch: how many rows to begin with.
    """
    forward = page.ending_before is not None
    start = page.ending_before if forward else page.starting_after
    found: list[M] = []
    reached: str | None = None
    for first in (True, False):
        started = time.monotonic()
        ahead = _beyond(rows, start, forward=forward)
        reached = next(iter(ahead.values_list("pk", flat=True)[stretch - 1 : stretch]), None)
        within = _beyond(rows, start, reached, forward=forward)
        found += matching(within, first)[: page.limit + 1 - len(found)]
        if len(found) > page.limit or reached is None:
            reached = None
            break
        took = time.monotonic() - started
        if not first or took > PATIENCE / 2:
            break
        start, stretch = reached, max(stretch, int(stretch * (PATIENCE - took) / took / 2))
    more = len(found) > page.limit
    found = found[: page.limit]
    if forward:
        found.reverse()
    return Found(found, more, reached)


def _beyond(
    rows: QuerySet[M], start: str | None, end: str | None = None, *, forward: bool
) -> QuerySet[M]:
    """From behind ``start`` to ``end``, in the direction of travel."""
    if start is not None:
        rows = rows.filter(**{"id__gt" if forward else "id__lt": start})
    if end is not None:
        rows = rows.filter(**{"id__lte" if forward else "id__gte": end})
    return rows.order_by("id" if forward else "-id")
