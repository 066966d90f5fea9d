"""Deferred work: rows that workers claim with a lease, renew, finish and give back.

A row of work has a status, a due time, a lease and (most of them) a count of attempts. A
``WorkQueue`` names these columns of one model and has every step:

========== =======================================================================================
claim      one conditional UPDATE writes a new token into the lease, moves the due time to when the
           lease runs out, and counts the attempt. Of several workers one changes the row.
renew      moves the due time ahead again. A thread does it while the work takes (``kept``).
finish     writes the result, if the row still has the worker's token.
give back  the same, with a new due time: after an error, or while something is missing.
give up    after ``max_attempts``. Attempts are counted when they begin, so a row whose worker is
           killed every time is given up too.
========== =======================================================================================

**When a lease runs out:** a leased row's due time is the end of its lease. A row whose worker died
is thus due again by itself, and the next claim replaces the token. A worker that was only slow then
finds its token gone, writes nothing, and gets ``LeaseLost``.

Wherever a process dies, the row is therefore either still due, or due when its lease ends. The
Celery task of a queue (``task``) carries no data: it claims what is due, the longest due first,
until nothing is left (``work_off``). The clock sends it every few seconds, so a lost message delays
the work by that much.
"""

import contextlib
import datetime
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection, models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from prometheus_client import Histogram

from kallglot_site import doorbell

log = logging.getLogger(__name__)

WORK: Final = Histogram(
    "kallglot_work_duration_seconds",
    "Seconds that one attempt of leased work took, by queue and outcome",
    ["queue", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)

Row = TypeVar("Row", bound=models.Model)

LEASE: Final = datetime.timedelta(seconds=60)
RENEW_SECONDS: Final = 15.0
TURN_SECONDS: Final = 60.0
"""How long one task works on a queue before its worker serves other queues."""

_GIVEN_BACK: Final = "_given_back"
"""Marks a row whose work was neither done nor failed, in the worker's memory only."""

_RACE: Final = 10
"""Due rows that a claim tries, because other workers may take the first few meanwhile."""


class LeaseLost(Exception):
    """Another worker has the row now, or the row is no longer wanted."""


class LeasedRow(models.Model):
    """The columns of a row of work. While it is leased, ``due_at`` is when the lease runs out."""

    due_at = models.DateTimeField(default=timezone.now)
    lease = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


def _unchanged(now: datetime.datetime) -> Mapping[str, Any]:
    return {}


def _at_once(attempts: int) -> datetime.timedelta:
    return datetime.timedelta()


@dataclass(frozen=True, kw_only=True)
class WorkQueue(Generic[Row]):
    """The rows of one model that are work, and every step of a lease on them.

    ``name`` is the queue's label in metrics. ``open`` says which rows are still to be done, without
    a join. ``ready`` may join: it has the other conditions for claiming a row. ``at_claim`` gives
    more values to write with the lease.
    ``backoff`` is how long a row waits after its n-th failed attempt (from 1); ``permanent`` are
    errors that a retry cannot fix. ``max_attempts=0``: no row is given up. The last four name
    columns. ``attempts=""``: none are counted. ``error`` keeps the class of the latest error.
    """

    name: str
    model: type[Row]
    task: str
    open: Q
    ready: Q = Q()  # noqa: RUF009  # never changed in place
    related: tuple[str, ...] = ()
    lease_for: datetime.timedelta = LEASE
    max_attempts: int = 0
    backoff: Callable[[int], datetime.timedelta] = _at_once
    permanent: tuple[type[Exception], ...] = ()
    at_claim: Callable[[datetime.datetime], Mapping[str, Any]] = _unchanged
    due: str = "due_at"
    lease: str = "lease"
    attempts: str = "attempts"
    error: str = ""

    # --- Waking a worker ---------------------------------------------------------------------

    def ring(self) -> None:
        """Wake a worker once the caller's transaction is committed. Never blocks, never fails."""
        transaction.on_commit(lambda: doorbell.ring(self.task), robust=True)

    # --- Finding and claiming ----------------------------------------------------------------

    def rows_due(self, now: datetime.datetime | None = None) -> QuerySet[Row]:
        """Rows whose time has come, those whose lease has run out included."""
        due = Q((f"{self.due}__lte", now or timezone.now()))
        return self.model._default_manager.filter(self.open, due)

    def rows_held(self, owner: str) -> QuerySet[Row]:
        """Open rows under this token, whether or not the lease has run out meanwhile."""
        return self.model._default_manager.filter(self.open, Q((self.lease, owner)))

    def rows_leased(self, now: datetime.datetime | None = None) -> QuerySet[Row]:
        """Rows under a lease that has not run out."""
        running = Q((f"{self.due}__gt", now or timezone.now()), (f"{self.lease}__gt", ""))
        return self.model._default_manager.filter(self.open, running)

    def rows_ahead(self, now: datetime.datetime | None = None) -> QuerySet[Row]:
        """Open rows whose time is still to come: leased ones, and those due later."""
        ahead = Q((f"{self.due}__gt", now or timezone.now()))
        return self.model._default_manager.filter(self.open, ahead)

    def claim(self, key: Any, owner: str = "") -> Row | None:
        """Lease one row, under a new token or ``owner``. None: it is not due, leased, or gone."""
        now, token = timezone.now(), owner or secrets.token_hex(16)
        values = {self.lease: token, self.due: now + self.lease_for, **self.at_claim(now)}
        if self.attempts:
            values[self.attempts] = F(self.attempts) + 1
        if not self.rows_due(now).filter(pk=key).update(**values):
            return None
        rows = self.model._default_manager.filter(Q((self.lease, token)), pk=key)
        return rows.select_related(*self.related).first() if self.related else rows.first()

    def claim_next(self) -> Row | None:
        """Lease the row that has been due for longest. None: nothing is due."""
        waiting = self.rows_due().filter(self.ready).order_by(self.due, "pk")
        for key in list(waiting.values_list("pk", flat=True)[:_RACE]):
            if (row := self.claim(key)) is not None:
                return row
        return None

    def lock_due(self, rows: QuerySet[Row], limit: int) -> list[Any]:
        """Keys of up to ``limit`` of these due rows, the longest due first, for ``claim_locked``.

        Belongs inside the transaction of ``claim_locked``. Rows that another claimer has locked are
        skipped on PostgreSQL. SQLite has one writing transaction at a time anyway.
        """
        locked = rows.order_by(self.due).select_for_update(skip_locked=True)
        return list(locked.values_list("pk", flat=True)[:limit])

    def claim_locked(self, keys: Iterable[Any], owner: str, now: datetime.datetime) -> None:
        """Lease many rows at once, all under the token ``owner``."""
        self.rows_due(now).filter(pk__in=list(keys)).update(
            **{self.lease: owner, self.due: now + self.lease_for}
        )

    # --- While the work takes ----------------------------------------------------------------

    def renew(self, row: Row) -> None:
        """Move the end of the lease ahead. Raises LeaseLost."""
        if not self._renew(row.pk, self.token(row)):
            raise LeaseLost

    def _renew(self, key: Any, token: str) -> bool:
        return self._prolong(self.rows_held(token).filter(pk=key)) > 0

    def renew_held(self, owner: str) -> int:
        """The same for all that ``owner`` holds. Returns how many rows that is."""
        return self._prolong(self.rows_held(owner))

    def _prolong(self, rows: QuerySet[Row]) -> int:
        return rows.update(**{self.due: timezone.now() + self.lease_for})

    @contextlib.contextmanager
    def kept(self, row: Row) -> Iterator[None]:
        """Renew the lease in a separate thread while the block runs."""
        over = threading.Event()

        def renew() -> None:
            try:
                while not over.wait(RENEW_SECONDS):
                    try:
                        close_old_connections()
                        if not self._renew(row.pk, self.token(row)):
                            return  # ``finish`` will raise it
                    except DatabaseError as error:
                        # The database may be back before the lease runs out.
                        log.warning("could not renew %r: %s", row, type(error).__name__)
            finally:
                connection.close()

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(timeout=30)

    # --- Letting go --------------------------------------------------------------------------

    def finish(self, row: Row, **values: Any) -> None:
        """Write the result and free the row. ``values`` must take it out of ``open``.

        Raises LeaseLost: nothing was written.
        """
        self._let_go(row, values)

    def give_back(
        self, row: Row, after: datetime.timedelta, *, counted: bool = True, **values: Any
    ) -> None:
        """Make the row due again ``after`` a while. Not ``counted``: this was not an attempt.

        Raises LeaseLost: nothing was written.
        """
        if self.attempts and not counted:
            values[self.attempts] = F(self.attempts) - 1
        self._let_go(row, {self.due: timezone.now() + after, **values})
        row.__dict__[_GIVEN_BACK] = True

    def _let_go(self, row: Row, values: Mapping[str, Any]) -> None:
        held = self.rows_held(self.token(row)).filter(pk=row.pk)
        if not held.update(**{self.lease: "", **values}):
            raise LeaseLost

    def release(self, owner: str) -> int:
        """Make all rows due that ``owner`` holds and will not finish. Returns how many."""
        return self.rows_held(owner).update(**{self.lease: "", self.due: timezone.now()})

    # --- Working off -------------------------------------------------------------------------

    def work_off(
        self,
        work: Callable[[Row], object],
        give_up: Callable[[Row, Exception | None], object],
        *,
        seconds: float = TURN_SECONDS,
    ) -> int:
        """Work on due rows, the longest due first. Returns how many.

        A row that fails waits for its next attempt and does not stop others. After ``seconds`` the
        rest is left to a new message, so that the worker serves other queues in between. Raises
        DatabaseError if nothing can be claimed.
        """
        until, done = time.monotonic() + seconds, 0
        while (row := self.claim_next()) is not None:
            self.work_on(row, work, give_up)
            done += 1
            if time.monotonic() > until:
                doorbell.ring(self.task)
                break
        return done

    def work_on(
        self,
        row: Row,
        work: Callable[[Row], object],
        give_up: Callable[[Row, Exception | None], object],
    ) -> bool:
        """Work on a claimed row. Returns whether that succeeded; errors of the work are handled.

        ``work`` finishes the row or gives it back. ``give_up`` writes its failure, with None
        for the error where the worker was killed at every attempt.
        """
        started, outcome = time.perf_counter(), "failed"
        try:
            if 0 < self.max_attempts < self._count(row):
                give_up(row, None)
                return False
            with self.kept(row):
                work(row)
            outcome = "given_back" if _GIVEN_BACK in row.__dict__ else "done"
        except LeaseLost:
            log.warning("%r is no longer this worker's", row)
            outcome = "lost"
        except Exception as error:
            log.exception("work on %r failed", row)
            self._failed(row, error, give_up)
        finally:
            WORK.labels(self.name, outcome).observe(time.perf_counter() - started)
        return outcome in {"done", "given_back"}

    def _failed(
        self, row: Row, error: Exception, give_up: Callable[[Row, Exception | None], object]
    ) -> None:
        try:
            if self.is_last_attempt(row) or isinstance(error, self.permanent):
                give_up(row, error)
            else:
                noted: dict[str, Any] = {self.error: type(error).__name__} if self.error else {}
                self.give_back(row, self.backoff(self._count(row)), **noted)
        except LeaseLost:
            log.warning("%r is no longer this worker's", row)
        except Exception:  # it is due again when its lease runs out
            log.exception("Could not record that %r failed", row)

    def is_last_attempt(self, row: Row) -> bool:
        return 0 < self.max_attempts <= self._count(row)

    def token(self, row: Row) -> str:
        return str(getattr(row, self.lease))

    def _count(self, row: Row) -> int:
        return int(getattr(row, self.attempts)) if self.attempts else 0
