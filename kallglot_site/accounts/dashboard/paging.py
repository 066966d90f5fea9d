"""Keyset pages for lists in the browser: links to newer and older rows that keep the filters."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from kallglot_site.api.ids import is_id
from kallglot_site.api.pagination import KeysetPagination

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Rows, newest first, and the addresses beside them ("" where there is nothing)."""

    rows: list[M]
    newer_url: str
    older_url: str


def page_of(request: HttpRequest, queryset: QuerySet[M], *, prefix: str, size: int = 50) -> Page[M]:
    """The page that ``?after=`` (older than that id) or ``?before=`` (newer) asks for.

    A cursor that is no id is ignored: a person who edits an address gets the first page.
    """
    after, before = (
        value if value and is_id(value, prefix) else None
        for value in (request.GET.get("after"), request.GET.get("before"))
    )
    if before:
        after = None
    rows, more = KeysetPagination(size, after, before).page(queryset)
    if not rows:
        return Page(rows, _url(request) if after or before else "", "")
    newer, older = (more, True) if before else (bool(after), more)
    return Page(
        rows,
        _url(request, before=rows[0].pk) if newer else "",
        _url(request, after=rows[-1].pk) if older else "",
    )


def _url(request: HttpRequest, **cursor: str) -> str:
    query = request.GET.copy()
    for name in ("after", "before"):
        query.pop(name, None)
    for name, value in cursor.items():
        query[name] = value
    return f"{request.path}?{query.urlencode()}"
