"""A page of found sessions, at a cost that is bounded whatever is asked for.

What an index answers is asked of it. All else (a language, a duration, frequent words) is found by
reading sessions in the order of the list, a stretch at a time, until the page is full, the list
ends or the time is up. In that last case the page says how far it has looked, and the next one goes
on from there: a million sessions without a match are read in a few pages, none of which takes long.
"""

import time
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.pagination import KeysetPagination
from sessions_app.models import Session
from sessions_app.search.index import sessions_holding, sessions_naming
from sessions_app.search.sessions import Criteria, sessions_checked, sessions_indexed

PATIENCE: Final = 0.18
"""Seconds of reading. The page around it wants some, too, of the third of a second it may take."""
FIRST_STRETCH: Final = 5000
FIRST_STRETCH_FOR_WORDS: Final = 500
"""Sessions. The first stretch shows how fast it goes; the second may take half of the time left."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows, newest first, and whether more follow. ``reached``: where time was up, an id."""

    rows: list[Session]
    more: bool
    reached: str | None = None


def session_page(*, tenant: Tenant, criteria: Criteria, page: KeysetPagination) -> Found:
    """The tenant's sessions that meet the criteria, from the page's cursor on."""
    sessions = sessions_indexed(tenant=tenant, criteria=criteria)
    frequent = False
    if criteria.terms:
        named = sessions_naming(criteria.terms, sessions.db)
        if named is not None:
            sessions = sessions_checked(sessions.filter(id__in=named), criteria)
            return Found(*page.page(sessions))
        frequent = True
    elif not criteria.is_checked(sessions.db):
        return Found(*page.page(sessions))
    return _look(sessions, criteria, page, frequent=frequent)


def _look(
    sessions: QuerySet[Session], criteria: Criteria, page: KeysetPagination, *, frequent: bool
) -> Found:
    forward = page.ending_before is not None
    start = page.ending_before if forward else page.starting_after
    stretch = FIRST_STRETCH_FOR_WORDS if frequent else FIRST_STRETCH
    rows: list[Session] = []
    reached: str | None = None
    for again in (True, False):
        started = time.monotonic()
        ahead = _beyond(sessions, start, forward=forward)
        reached = next(iter(ahead.values_list("id", flat=True)[stretch - 1 : stretch]), None)
        within = _beyond(sessions, start, reached, forward=forward)
        found = sessions_checked(within, criteria)
        if frequent:
            found = sessions_holding(found, criteria.terms, within, few=again)
        rows += found[: page.limit + 1 - len(rows)]
        if len(rows) > page.limit or reached is None:
            reached = None
            break
        took = time.monotonic() - started
        if not again or took > PATIENCE / 2:
            break
        start, stretch = reached, max(stretch, int(stretch * (PATIENCE - took) / took / 2))
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    if forward:
        rows.reverse()
    return Found(rows, more, reached)


def _beyond(
    sessions: QuerySet[Session], start: str | None, end: str | None = None, *, forward: bool
) -> QuerySet[Session]:
    """From behind ``start`` to ``end``, in the direction of travel."""
    if start is not None:
        sessions = sessions.filter(**{"id__gt" if forward else "id__lt": start})
    if end is not None:
        sessions = sessions.filter(**{"id__lte" if forward else "id__gte": end})
    return sessions.order_by("id" if forward else "-id")
