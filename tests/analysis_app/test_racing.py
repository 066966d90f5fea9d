"""Changes of a session or run while a worker analyzes it."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from analysis_app import services
from analysis_app.engines.base import AnalysisOutcome
from analysis_app.models import Analysis
from sessions_app.models import Session
from sessions_app.services import session_erase
from tests.locks import TIMEOUT, row_locks_require, waiting

OUTCOME = AnalysisOutcome({"sentiment": {"label": "positive"}}, "scripted")


@pytest.mark.django_db(transaction=True)
def test_recording_a_result_waits_for_an_erasure_without_holding_locks(cast, session):
    row_locks_require()
    services.analysis_request(tenant=cast.tenant, session=session, analyses=["sentiment"])
    analysis = services.ANALYSES.claim_next()
    assert analysis is not None
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Session.objects.select_for_update().get(pk=session.pk)
            done = waiting(
                pool, lambda: services.analysis_complete(analysis=analysis, outcome=OUTCOME)
            )
            # Erasing locks this row next; if it were held, this would be a deadlock.
            Analysis.objects.select_for_update(nowait=True, of=("self",)).get()
            session_erase(session=session)
        assert done.result(TIMEOUT) is False


@pytest.mark.django_db
def test_erasing_a_run_while_it_is_claimed_stops_no_other_run(cast, session):
    erased, kept = (
        services.analysis_request(tenant=cast.tenant, session=session, analyses=["quality"])
        for _ in range(2)
    )

    def erase_once_claimed(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if sql.startswith("UPDATE"):
            Analysis.objects.filter(pk=erased.pk).delete()
        return result

    with connection.execute_wrapper(erase_once_claimed):
        assert services.ANALYSES.claim_next() == kept
    assert services.ANALYSES.claim_next() is None


@pytest.mark.django_db
def test_a_run_postponed_by_another_worker_is_not_claimed_early(cast, session):
    analysis = services.analysis_request(tenant=cast.tenant, session=session, analyses=["quality"])
    later = timezone.now() + datetime.timedelta(minutes=1)

    def put_off_once_found(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if sql.startswith("SELECT") and "due_at" in sql:
            with connection.cursor() as cursor:
                table = Analysis._meta.db_table
                due = connection.ops.adapt_datetimefield_value(later)
                cursor.execute(f"UPDATE {table} SET due_at = %s", [due])
        return result

    with connection.execute_wrapper(put_off_once_found):
        assert services.ANALYSES.claim_next() is None
    analysis.refresh_from_db()
    assert (analysis.status, analysis.attempts) == ("queued", 0)
