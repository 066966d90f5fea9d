"""Workers and erasure change the same rows at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from kallglot_site import leases
from recordings_app import assembly
from recordings_app.models import Assembly, Deletion, Recording, RecordingFile
from recordings_app.queues import ASSEMBLIES
from sessions_app.services import session_erase
from tests.factories import recording_ready
from tests.locks import TIMEOUT, row_locks_require, waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recording(cast):
    return recording_ready(cast.tenant)


@pytest.fixture
def due(recording):
    """Its recordings are being made again, under the lease ``mine``."""
    return Assembly.objects.create(session=recording.session, status="due", lease="mine")


def test_a_file_made_while_the_session_is_being_erased_is_deleted_too(recording):
    row_locks_require()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():  # as a worker commits a variant
            Recording.objects.select_for_update(no_key=True).get(pk=recording.pk)
            erased = waiting(pool, lambda: session_erase(session=recording.session))
            RecordingFile.objects.create(
                recording=recording, format="ogg", sample_rate=8000, name="just/made.ogg"
            )
        erased.result(TIMEOUT)
    assert Deletion.objects.filter(name="just/made.ogg", due_at__lte=timezone.now()).exists()


@pytest.mark.parametrize(("held", "next"), [(Assembly, Recording), (Recording, RecordingFile)])
def test_erasing_locks_rows_in_the_same_order_as_workers(recording, due, held, next):
    row_locks_require()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert list(held.objects.select_for_update(of=("self",)))
            erased = waiting(pool, lambda: session_erase(session=recording.session))
            # Refused at once if the one who waits for us had it already.
            assert list(next.objects.select_for_update(of=("self",), nowait=True))
        erased.result(TIMEOUT)
    assert not Recording.objects.exists()


def test_a_worker_that_lost_its_lease_does_not_fail_the_next_attempt(recording, due):
    row_locks_require()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Assembly.objects.update(lease="another's")
            failed = waiting(
                pool, lambda: ASSEMBLIES.work_on(due, lambda row: 1 / 0, assembly._give_up)
            )
        failed.result(TIMEOUT)
    due.refresh_from_db()
    assert (due.lease, due.error) == ("another's", "")


def test_a_lease_is_renewed_again_once_the_database_is_back(due, monkeypatch):
    again = threading.Event()
    failures = iter([OperationalError("the database is away")])

    def once_away():
        for failure in failures:
            raise failure
        again.set()

    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(leases, "close_old_connections", once_away)
    with ASSEMBLIES.kept(due):
        assert again.wait(TIMEOUT)
