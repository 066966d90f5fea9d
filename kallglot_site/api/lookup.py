"""One way to look an object up, so that every refusal is the same."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from kallglot_site.api.errors import NotFound
from kallglot_site.api.ids import is_id

M = TypeVar("M", bound=Model)


def get_or_not_found(queryset: QuerySet[M], object_id: str, *, prefix: str, kind: str) -> M:
    """The row of a queryset that is already scoped to a tenant.

    Raises NotFound, with one and the same body for unknown, foreign and malformed ids.
    """
    # Not first(): ordering and slicing one row would cost a tenth of a read.
    row = next(iter(queryset.filter(pk=object_id)), None) if is_id(object_id, prefix) else None
    if row is None:
        raise NotFound(kind)
    return row
