"""Deletes what lies outside the database: stored files and spools.

A deletion is a row, written in the transaction that decides it and repeated until it has
succeeded. So a crash neither forgets a file nor deletes it early. A file that is being stored has
one from the start, due hours later; the transaction that adopts the file cancels it.
"""

import datetime
import logging
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kallglot_site.leases import LeaseLost, WorkQueue
from recordings_app.media import storage
from recordings_app.models import Deletion
from recordings_app.spool import parts

log = logging.getLogger(__name__)

ADOPTION: Final = datetime.timedelta(hours=7)
"""Until when a file being stored must have been adopted: longer than any task may run."""

SPOOL_REMEMBERED: Final = datetime.timedelta(days=30)
"""How long an erased session's spool is looked for: a lost machine may come back with some."""

_SPOOL_AGAIN: Final = datetime.timedelta(hours=1)
_BACKOFF: Final = datetime.timedelta(minutes=1)
_LONGEST_BACKOFF: Final = datetime.timedelta(hours=6)


def _backoff(attempts: int) -> datetime.timedelta:
    return min(_BACKOFF * (1 << min(attempts - 1, 10)), _LONGEST_BACKOFF)


# A queue for each kind: spools are looked for again every hour, and must not delay files.
FILES = WorkQueue(
    name="file_deletions",
    model=Deletion,
    task="recordings_app.tasks.delete_due",
    open=Q(kind=Deletion.Kind.FILE),
    backoff=_backoff,
)
SPOOLS = WorkQueue(
    name="spool_deletions",
    model=Deletion,
    task=FILES.task,
    open=Q(kind=Deletion.Kind.SPOOL),
    backoff=_backoff,
)


def deletions_schedule(
    *,
    names: Iterable[str],
    kind: str = Deletion.Kind.FILE,
    after: datetime.timedelta | None = None,
) -> None:
    """Have these deleted, now or ``after`` some time. Part of the caller's transaction, if any."""
    wanted = [name for name in names if name]
    due = timezone.now() + (after or datetime.timedelta())
    Deletion.objects.bulk_create(
        [Deletion(kind=kind, name=name, due_at=due) for name in wanted], ignore_conflicts=True
    )
    if after is None:  # one that was scheduled for later is due now
        Deletion.objects.filter(kind=kind, name__in=wanted, due_at__gt=due).update(due_at=due)


def deletions_cancel(*, names: Iterable[str]) -> None:
    """Keep these files: part of the transaction that adopts them."""
    Deletion.objects.filter(kind=Deletion.Kind.FILE, name__in=list(names)).delete()


def deletions_run_due() -> int:
    """Delete what is due. Returns how many deletions were tried."""
    return FILES.work_off(_file_delete, _never) + SPOOLS.work_off(_spool_delete, _never)


def _never(deletion: Deletion, error: Exception | None) -> None:
    """Deletions are repeated without limit: neither queue has a last attempt."""


def _file_delete(deletion: Deletion) -> None:
    """Raises what the storage raises; LeaseLost."""
    storage.remove(deletion.name)
    if not FILES.rows_held(FILES.token(deletion)).filter(pk=deletion.pk).delete()[0]:
        raise LeaseLost


def _spool_delete(deletion: Deletion) -> None:
    """Raises LeaseLost."""
    spool_remove(deletion.name)
    with transaction.atomic():
        SPOOLS.give_back(deletion, _SPOOL_AGAIN, counted=False)
        if deletion.created_at < timezone.now() - SPOOL_REMEMBERED:
            deletion.delete()


def spool_remove(session_id: str) -> None:
    """Delete what this machine has of a session's spool."""
    try:
        parts.parts_remove(session_id, parts.local_parts(session_id))
    except (OSError, ValueError):
        log.exception("could not delete the spool of %s", session_id)
