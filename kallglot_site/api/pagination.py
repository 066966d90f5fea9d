"""Keyset pagination on ULIDs: the cost of a page does not grow with its depth or the table.

Cursors are ids that are compared and never looked up. So the id of a deleted object still works,
and one of another organization reveals nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from kallglot_site.api.errors import ApiError, InvalidFieldValue
from kallglot_site.api.ids import is_id

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
PARAMETERS = ("limit", "starting_after", "ending_before")

M = TypeVar("M", bound=Model)


class InvalidCursor(ApiError):
    code = "invalid_cursor"


@dataclass(frozen=True, slots=True)
class KeysetPagination:
    """The bounds of a page, newest first.

    ``starting_after`` pages to older objects, ``ending_before`` to newer ones.
    """

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None
    ending_before: str | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], prefix: str) -> "KeysetPagination":
        """Raises InvalidFieldValue for an invalid limit, InvalidCursor for invalid cursors."""
        after, before = query.get("starting_after"), query.get("ending_before")
        if after is not None and before is not None:
            raise InvalidCursor(
                "Give either `starting_after` or `ending_before`, not both.", param="ending_before"
            )
        for name, cursor in (("starting_after", after), ("ending_before", before)):
            if cursor is not None and not is_id(cursor, prefix):
                raise InvalidCursor(
                    f"`{name}` must be the id of an object in this list: `{prefix}_…`.", param=name
                )
        return cls(_limit(query.get("limit")), after, before)

    def page(self, queryset: QuerySet[M]) -> tuple[list[M], bool]:
        """The rows, newest first, and whether more follow in the direction of the page."""
        if self.ending_before is not None:
            rows = list(queryset.filter(id__gt=self.ending_before).order_by("id")[: self.limit + 1])
        else:
            if self.starting_after is not None:
                queryset = queryset.filter(id__lt=self.starting_after)
            rows = list(queryset.order_by("-id")[: self.limit + 1])
        has_more = len(rows) > self.limit
        rows = rows[: self.limit]
        if self.ending_before is not None:
            rows.reverse()
        return rows, has_more


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidFieldValue(
            f"`limit` must be a whole number from 1 to {MAX_LIMIT}.", param="limit"
        )
    return int(text)


def list_payload(
    rows: list[M], has_more: bool, url: str, payload: Callable[[M], dict[str, Any]]
) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [payload(row) for row in rows],
        "has_more": has_more,
        "url": url,
    }
