"""Deleting what lies outside the database, so that a crash neither forgets it nor does it early."""

import datetime
import logging
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from recordings_app.media import storage
from recordings_app.models import Tombstone
from recordings_app.spool import parts

log = logging.getLogger(__name__)

ADOPTION: Final = datetime.timedelta(hours=7)
"""Until when a file being stored must have been adopted: longer than any task may run."""

SPOOL_KEPT_IN_MIND: Final = datetime.timedelta(days=30)
"""How long an erased session's spool is looked for: a lost machine may come back with some."""

_BACKOFF: Final = datetime.timedelta(minutes=1)
_LONGEST_BACKOFF: Final = datetime.timedelta(hours=6)


def tombstones_raise(
    *,
    names: Iterable[str],
    kind: str = Tombstone.Kind.FILE,
    after: datetime.timedelta | None = None,
) -> None:
    """Have these deleted, now or ``after`` some time. Part of the caller's transaction, if any."""
    due = timezone.now() + (after or datetime.timedelta())
    Tombstone.objects.bulk_create(
        [Tombstone(kind=kind, name=name, due_at=due) for name in names if name],
        ignore_conflicts=True,
    )
    # One that lay ahead in time is due now, if that is what is asked for.
    if after is None:
        Tombstone.objects.filter(kind=kind, name__in=list(names), due_at__gt=due).update(due_at=due)


def tombstones_lift(*, names: Iterable[str]) -> None:
    """Keep these files: part of the transaction that adopts them."""
    Tombstone.objects.filter(kind=Tombstone.Kind.FILE, name__in=list(names)).delete()


def tombstones_carry_out(*, limit: int = 200) -> int:
    """Delete what is due. Each deletion is repeated until the storage has said yes."""
    due = Tombstone.objects.filter(due_at__lte=timezone.now())
    done = 0
    for stone in list(due.order_by("due_at")[:limit]):
        if stone.kind == Tombstone.Kind.SPOOL:
            spool_remove(stone.name)
            _spool_again_later(stone)
            continue
        try:
            storage.remove(stone.name)
        except Exception:
            log.exception("could not delete %s from the storage; trying again", stone.name)
            wait = min(_BACKOFF * 2 ** min(stone.attempts, 10), _LONGEST_BACKOFF)
            Tombstone.objects.filter(pk=stone.pk).update(
                attempts=F("attempts") + 1, due_at=timezone.now() + wait
            )
        else:
            stone.delete()
            done += 1
    return done


def spool_remove(session_id: str) -> None:
    """Delete what this machine has of a session's spool."""
    try:
        parts.parts_remove(session_id, parts.local_parts(session_id))
    except (OSError, ValueError):
        log.exception("could not delete the spool of %s", session_id)


def _spool_again_later(stone: Tombstone) -> None:
    with transaction.atomic():
        if stone.created_at < timezone.now() - SPOOL_KEPT_IN_MIND:
            stone.delete()
        else:
            Tombstone.objects.filter(pk=stone.pk).update(
                due_at=timezone.now() + datetime.timedelta(hours=1)
            )
