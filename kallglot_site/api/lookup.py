"""Looks an object up by its id, with the same 404 for every reason."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from kallglot_site.api.errors import NotFound
from kallglot_site.api.ids import is_id

M = TypeVar("M", bound=Model)


def get_or_not_found(queryset: QuerySet[M], object_id: str, *, prefix: str, kind: str) -> M:
    """The row with that id, from a queryset that is already limited to a tenant.

    Raises NotFound, with the same body for unknown, foreign and malformed ids.
    """
    # Not first(): its ORDER BY and LIMIT would make the request a tenth slower.
    row = next(iter(queryset.filter(pk=object_id)), None) if is_id(object_id, prefix) else None
    if row is None:
        raise NotFound(kind)
    return row
