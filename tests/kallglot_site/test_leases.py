"""How rows are leased: by one worker at a time, longest due first, a bounded number of times."""

import datetime
import threading

import pytest
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone

from kallglot_site import doorbell, leases
from kallglot_site.leases import LEASE, LeaseLost, WorkQueue
from recordings_app.models import Deletion
from tests.fakes.sockets import TIMEOUT

SECOND = datetime.timedelta(seconds=1)


class Permanent(Exception):
    """An error that no repeat can mend."""


QUEUE = WorkQueue(
    name="test",
    model=Deletion,
    task="some.task",
    open=Q(kind=Deletion.Kind.FILE),
    max_attempts=3,
    backoff=lambda attempts: SECOND * 10**attempts,
    permanent=(Permanent,),
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    return time_machine


@pytest.fixture
def given_up():
    return []


def add(name, due_in=0):
    due_at = timezone.now() + SECOND * due_in
    return Deletion.objects.create(kind=Deletion.Kind.FILE, name=name, due_at=due_at)


def claim():
    """The next due row, of which there must be one."""
    row = QUEUE.claim_next()
    assert row is not None
    return row


def done(row, error=None):
    QUEUE.finish(row, kind=Deletion.Kind.SPOOL)


def state(row):
    row.refresh_from_db()
    return row.lease, row.attempts, (row.due_at - timezone.now()).total_seconds()


def test_a_leased_row_is_claimed_by_nobody_else_until_its_lease_runs_out(clock):
    add("file")
    first = claim()
    clock.shift(LEASE - SECOND)
    assert QUEUE.claim_next() is None
    clock.shift(SECOND)
    second = claim()
    assert second.pk == first.pk
    assert second.lease != first.lease
    assert second.attempts == 2


def test_a_worker_that_lost_its_lease_writes_nothing(clock):
    add("file")
    slow = claim()
    clock.shift(LEASE)
    QUEUE.claim_next()
    for write in (QUEUE.renew, done, lambda row: QUEUE.give_back(row, SECOND)):
        with pytest.raises(LeaseLost):
            write(slow)


def test_a_lease_that_ran_out_but_was_not_taken_can_still_be_finished(clock):
    row = add("file")
    slow = claim()
    clock.shift(LEASE * 2)
    done(slow)
    assert state(row)[0] == ""


def test_a_renewed_lease_lasts_from_the_renewal_on(clock):
    row = add("file")
    claimed = claim()
    clock.shift(LEASE - SECOND)
    QUEUE.renew(claimed)
    assert state(row) == (claimed.lease, 1, LEASE.total_seconds())


def test_rows_given_back_wait_and_count_as_attempts_only_if_they_were_one():
    row = add("file")
    QUEUE.give_back(claim(), SECOND * 5, counted=False)
    assert state(row) == ("", 0, 5)
    assert QUEUE.claim_next() is None


def test_rows_are_worked_off_in_the_order_in_which_they_came_due():
    for name, due_in in (("third", -1), ("first", -3), ("later", 1), ("second", -2)):
        add(name, due_in)
    worked = []

    def work(row):
        worked.append(row.name)
        done(row)

    assert QUEUE.work_off(work, done) == 3
    assert worked == ["first", "second", "third"]


def test_a_row_that_fails_stops_no_other_and_waits_longer_each_time(clock, given_up):
    poisoned, other = add("poisoned", -1), add("other")

    def work(row):
        if row.name == "poisoned":
            raise ValueError
        done(row)

    for wait in (10, 100):
        QUEUE.work_off(work, lambda row, error: given_up.append(row))
        assert state(poisoned)[2] == wait
        clock.shift(SECOND * wait)
    assert state(other)[1] == 1
    assert given_up == []


def test_a_row_is_given_up_after_its_last_attempt_or_a_permanent_error(clock, given_up):
    add("unlucky")

    def give_up(row, error):
        given_up.append((row.name, row.attempts, type(error)))
        done(row)

    def fail(error):
        def work(row):
            raise error

        return work

    for _ in range(3):
        QUEUE.work_off(fail(ValueError()), give_up)
        clock.shift(SECOND * 1000)
    add("hopeless")
    QUEUE.work_off(fail(Permanent()), give_up)
    assert given_up == [("unlucky", 3, ValueError), ("hopeless", 1, Permanent)]


def test_a_row_whose_worker_is_killed_each_time_is_given_up(clock, given_up):
    add("deadly")

    def die(row):
        raise KeyboardInterrupt  # as a kill: no code after it runs

    def give_up(row, error):
        given_up.append(error)
        done(row)

    for _ in range(QUEUE.max_attempts):
        with pytest.raises(KeyboardInterrupt):
            QUEUE.work_off(die, give_up)
        clock.shift(LEASE)
    QUEUE.work_off(die, give_up)
    assert given_up == [None]
    assert QUEUE.claim_next() is None


def test_a_row_that_cannot_even_be_given_up_stops_no_other():
    add("poisoned", -1)
    other = add("other")
    Deletion.objects.filter(name="poisoned").update(attempts=QUEUE.max_attempts)

    def give_up(row, error):
        raise ValueError

    assert QUEUE.work_off(done, give_up) == 2
    assert Deletion.objects.get(pk=other.pk).kind == Deletion.Kind.SPOOL


def test_a_long_queue_lets_the_worker_serve_others_in_between(monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring", rung.append)
    for number in range(3):
        add(f"file {number}", -1)
    assert QUEUE.work_off(done, done, seconds=-1) == 1
    assert rung == ["some.task"]


def test_many_rows_are_leased_at_once_under_one_owner(clock):
    keys = [add(f"file {number}", number - 3).pk for number in range(3)]
    locked = QUEUE.lock_due(QUEUE.rows_due(), 2)
    assert locked == keys[:2]
    QUEUE.claim_locked(locked, "dsp_a", timezone.now())
    assert set(QUEUE.rows_held("dsp_a").values_list("pk", flat=True)) == set(locked)
    assert QUEUE.release("dsp_a") == 2
    assert QUEUE.rows_due().count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_until_the_work_is_over_also_after_a_database_outage(monkeypatch):
    add("file")
    row = claim()
    renewed = threading.Event()
    outage = iter([OperationalError("the database is away")])

    def renew(queue, key, token):
        for error in outage:
            raise error
        renewed.set()
        return True

    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(WorkQueue, "_renew", renew)
    with QUEUE.kept(row):
        assert renewed.wait(TIMEOUT)
