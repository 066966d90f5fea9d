"""Work that stands in rows: taken by one worker at a time, and by another when that one dies.

A row has ``status``, ``due_at``, ``lease`` and ``attempts``. Taking it writes a token into
``lease`` and moves ``due_at`` to when the lease runs out; everything written in the end names the
token, so a worker that was presumed dead writes nothing.
"""

import contextlib
import datetime
import logging
import secrets
import threading
from collections.abc import Iterator
from typing import Any, Final

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.db.models import F, Model, QuerySet
from django.utils import timezone

log = logging.getLogger(__name__)

LEASE: Final = datetime.timedelta(seconds=60)
RENEW_SECONDS: Final = 15.0
RING_AGAIN: Final = datetime.timedelta(seconds=30)
"""A message may have been lost, or may still be waiting: no sooner than this is there another."""


class LeaseLost(Exception):
    """Another worker has the work now, or it is no longer wanted."""


def take(rows: QuerySet[Any]) -> str | None:
    """Take the one row in ``rows``. Returns the lease's token; None: somebody has it."""
    token = secrets.token_hex(16)
    taken = rows.filter(lease="").update(
        lease=token, due_at=timezone.now() + LEASE, attempts=F("attempts") + 1
    )
    return token if taken else None


def to_ring(rows: QuerySet[Any], limit: int) -> list[str]:
    """Keys of due rows for which a message shall be sent now. Ends leases that have run out."""
    now = timezone.now()
    keys: list[str] = []
    for key in list(
        rows.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:limit]
    ):
        # Conditional: of several sweeps at once, one sends the message.
        if rows.filter(pk=key, due_at__lte=now).update(due_at=now + RING_AGAIN, lease=""):
            keys.append(key)
    return keys


@contextlib.contextmanager
def kept(model: type[Model], key: str, token: str) -> Iterator[None]:
    """Renews the lease in a thread of its own for as long as the work in the block takes."""
    over = threading.Event()

    def renew() -> None:
        try:
            while not over.wait(RENEW_SECONDS):
                try:
                    close_old_connections()
                    model._default_manager.filter(pk=key, lease=token).update(
                        due_at=timezone.now() + LEASE
                    )
                except DatabaseError as error:
                    # It may be back before the lease runs out.
                    log.warning("could not renew the lease of %s: %s", key, type(error).__name__)
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)
