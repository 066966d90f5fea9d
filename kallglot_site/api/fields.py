"""Model fields that several apps share."""

import functools
from collections.abc import Sequence
from typing import Any

from django.db import models

from kallglot_site.api.ids import new_id


class IdField(models.CharField[str, str]):
    """A primary key such as ``sess_01KD…``, made by the application and known before the INSERT."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        self.prefix = prefix
        kwargs.setdefault("max_length", 40)
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("editable", False)
        if prefix:
            kwargs.setdefault("default", functools.partial(new_id, prefix))
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("default", None)
        return name, path, args, {"prefix": self.prefix, **kwargs}
