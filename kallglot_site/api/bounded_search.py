"""Search without an index, with a time limit for each page.

Rows are read in the order of the list, in batches, until the page is full, the list ends or the
time limit is reached. In the last case the page says up to which row it has searched, and the next
page continues there. A million rows without a match thus take a few pages, each of them quick.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db.models import Model, QuerySet

from kallglot_site.api.pagination import KeysetPagination

TIME_LIMIT: Final = 0.18
"""Seconds for reading rows. A whole page may take 0.3 s, and rendering needs the rest."""
FIRST_BATCH_SIZE: Final = 5000
"""Rows. The first batch measures the speed; the second is sized to use half of the time left."""

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """Rows, newest first, and whether more follow.

    ``reached``: the id of the last row searched if the time limit ended the search, else None.
    """

    rows: list[M]
    more: bool
    reached: str | None = None


def search_in_batches(
    rows: QuerySet[M],
    page: KeysetPagination,
    matching: Callable[[QuerySet[M], bool], QuerySet[M]],
    *,
    first_batch_size: int,
) -> Found[M]:
    """The page of ``rows`` that match, from the page's cursor on.

    Args:
        matching: takes a batch of rows and whether it is the first batch; returns the rows of it
            that match, in the same order. The batch is ordered from the cursor on.
        first_batch_size: how many rows the first batch has.
    """
    size = first_batch_size
    forward = page.ending_before is not None
    start = page.ending_before if forward else page.starting_after
    found: list[M] = []
    reached: str | None = None
    for first in (True, False):
        started = time.monotonic()
        ahead = _beyond(rows, start, forward=forward)
        reached = next(iter(ahead.values_list("pk", flat=True)[size - 1 : size]), None)
        within = _beyond(rows, start, reached, forward=forward)
        found += matching(within, first)[: page.limit + 1 - len(found)]
        if len(found) > page.limit or reached is None:
            reached = None
            break
        took = time.monotonic() - started
        if not first or took > TIME_LIMIT / 2:
            break
        start, size = reached, max(size, int(size * (TIME_LIMIT - took) / took / 2))
    more = len(found) > page.limit
    found = found[: page.limit]
    if forward:
        found.reverse()
    return Found(found, more, reached)


def _beyond(
    rows: QuerySet[M], start: str | None, end: str | None = None, *, forward: bool
) -> QuerySet[M]:
    """The rows after ``start`` up to and including ``end``, in the direction of the page."""
    if start is not None:
        rows = rows.filter(**{"id__gt" if forward else "id__lt": start})
    if end is not None:
        rows = rows.filter(**{"id__lte" if forward else "id__gte": end})
    return rows.order_by("id" if forward else "-id")
