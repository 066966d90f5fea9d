"""Safe retries: one key, one effect, one answer (contract section 1, Idempotency)."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def idempotent(method: F) -> F:
    """Marks an action that honours ``Idempotency-Key``."""

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, *args, **kwargs)

    return wrapped  # type: ignore[return-value]  # same signature
