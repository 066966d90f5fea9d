"""Keyset pages for lists: links to newer and older rows, with the same filters."""

import datetime
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from kallglot_site.api.ids import id_moment, is_id
from kallglot_site.api.pagination import KeysetPagination

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Rows, newest first, and the URLs of the neighbouring pages ("" for none).

    ``reached``: a search that ran out of time has searched back to this time.
    """

    rows: list[M]
    newer_url: str
    older_url: str
    reached: datetime.datetime | None = None


def page_of(request: HttpRequest, queryset: QuerySet[M], *, prefix: str, size: int = 50) -> Page[M]:
    """The page that ``?after=`` (older than that id) or ``?before=`` (newer) asks for."""
    cursors = cursors_of(request, prefix=prefix, size=size)
    return page_with(request, cursors, *cursors.page(queryset))


def cursors_of(request: HttpRequest, *, prefix: str, size: int = 50) -> KeysetPagination:
    """An invalid cursor is ignored: an edited address shows the first page."""
    after, before = (
        value if value and is_id(value, prefix) else None
        for value in (request.GET.get("after"), request.GET.get("before"))
    )
    return KeysetPagination(size, None if before else after, before)


def page_with(
    request: HttpRequest,
    cursors: KeysetPagination,
    rows: list[M],
    more: bool,
    reached: str | None = None,
) -> Page[M]:
    """``more``: rows follow in this direction. Or they may follow after the id ``reached``."""
    after, before = cursors.starting_after, cursors.ending_before
    moment = id_moment(reached) if reached else None
    newer, older = ("", _url(request, after=reached)) if reached and not before else ("", "")
    if reached and before:
        newer = _url(request, before=reached)
    if not rows:
        return Page(rows, newer or (_url(request) if after or before else ""), older, moment)
    if more if before else after:
        newer = _url(request, before=rows[0].pk)
    if before or more:
        older = _url(request, after=rows[-1].pk)
    return Page(rows, newer, older, moment)


def _url(request: HttpRequest, **cursor: str) -> str:
    query = request.GET.copy()
    for name in ("after", "before"):
        query.pop(name, None)
    for name, value in cursor.items():
        query[name] = value
    return f"{request.path}?{query.urlencode()}"
