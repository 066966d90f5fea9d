"""What /metrics says of leased work, endpoints, recordings and analyses."""

import datetime

import pytest
from django.utils import timezone
from prometheus_client import generate_latest

from analysis_app.metrics import analysis_metrics
from analysis_app.models import Analysis
from analysis_app.services import ANALYSES
from kallglot_site.metrics import database
from kallglot_site.metrics.queues import queue_metrics
from recordings_app.deletions import FILES
from recordings_app.metrics import recording_metrics
from recordings_app.models import Deletion
from tests.factories import SessionFactory, recording_ready
from tests.kallglot_site.metrics.samples import value
from webhooks_app.delivery.metrics import endpoint_metrics
from webhooks_app.models import Endpoint

pytestmark = pytest.mark.django_db

SECOND = datetime.timedelta(seconds=1)


def shown(families) -> dict[tuple[str, ...], float]:
    """Values by name and the values of the labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def add(name: str, seconds: float) -> Deletion:
    due_at = timezone.now() + SECOND * seconds
    return Deletion.objects.create(kind=Deletion.Kind.FILE, name=name, due_at=due_at)


def files() -> dict[str, float]:
    found = shown(queue_metrics(FILES))
    queue = "file_deletions"
    states = {state: found["kallglot_queue_rows", queue, state] for state in STATES}
    return {**states, "oldest": found["kallglot_queue_oldest_waiting_seconds", queue]}


STATES = ("waiting", "claimed", "later")


def test_a_row_is_waiting_then_claimed_then_gone(time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    add("later", 3600)
    add("older", -90)
    add("newer", -30)
    assert files() == {"waiting": 2, "claimed": 0, "later": 1, "oldest": 90}
    row = FILES.claim_next()
    assert row is not None
    assert files() == {"waiting": 1, "claimed": 1, "later": 1, "oldest": 30}
    FILES.rows_held(FILES.token(row)).delete()
    assert files() == {"waiting": 1, "claimed": 0, "later": 1, "oldest": 30}


def test_a_row_whose_lease_ran_out_waits_again(time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    add("file", -1)
    FILES.claim_next()
    time_machine.shift(FILES.lease_for + SECOND * 5)
    assert files() == {"waiting": 1, "claimed": 0, "later": 0, "oldest": 5}


def test_numbers_of_rows_stay_at_a_limit(monkeypatch):
    monkeypatch.setattr("kallglot_site.metrics.queues.MOST", 3)
    for number in range(5):
        add(f"waiting{number}", -1)
        add(f"later{number}", 60)
    assert [files()[state] for state in STATES] == [3, 0, 3]


def analysis(cast, **values) -> Analysis:
    session = SessionFactory.create(
        organization=cast.organization, status="ended", transcript_status=values.pop("transcript")
    )
    return Analysis.objects.create(
        **cast.tenant.filters, session=session, analyses=["summary"], **values
    )


def test_an_analysis_that_waits_for_its_transcript_is_not_waiting_for_a_worker(cast):
    analysis(cast, transcript="in_progress")
    assert shown(queue_metrics(ANALYSES))["kallglot_queue_rows", "analyses", "waiting"] == 0
    analysis(cast, transcript="complete")
    assert shown(queue_metrics(ANALYSES))["kallglot_queue_rows", "analyses", "waiting"] == 1


def test_analyses_are_shown_by_status_and_failures_for_a_day(cast):
    now = timezone.now()
    analysis(cast, transcript="in_progress")
    analysis(cast, transcript="complete", status="processing")
    for hours in (1, 23, 25):
        at = now - datetime.timedelta(hours=hours)
        analysis(cast, transcript="complete", status="failed", completed_at=at)
    found = shown(analysis_metrics())
    assert found["kallglot_analyses_unfinished", "queued"] == 1
    assert found["kallglot_analyses_unfinished", "processing"] == 1
    assert found["kallglot_analyses_failed_last_day",] == 2


def test_recordings_are_shown_while_processing_and_when_they_failed(cast):
    now = timezone.now()
    recording_ready(cast.tenant)
    recording_ready(cast.tenant, status="processing")
    for hours in (1, 25):
        at = now - datetime.timedelta(hours=hours)
        recording_ready(cast.tenant, status="failed", created_at=at)
    found = shown(recording_metrics())
    assert found == {
        ("kallglot_recordings_processing",): 1,
        ("kallglot_recordings_failed_last_day",): 1,
    }


def test_disabled_endpoints_are_shown_by_reason(cast):
    def endpoint(**values) -> None:
        Endpoint.objects.create(**cast.tenant.filters, url="https://example.com/", **values)

    endpoint()
    endpoint(status="disabled", disabled_reason="failing")
    endpoint(status="disabled", disabled_reason="failing")
    endpoint(status="disabled", disabled_reason="manual")
    endpoint(status="disabled", disabled_reason="gone", deleted_at=timezone.now())
    name = "kallglot_webhook_endpoints_disabled"
    found = shown(endpoint_metrics())
    assert found == {(name, "failing"): 2, (name, "manual"): 1, (name, "gone"): 0}


def test_every_queue_with_work_of_customers_is_shown():
    queues = {"deliveries", "assemblies", "variants", "file_deletions", "spool_deletions"}
    assert {*queues, "analyses", "translations"} <= set(database.SOURCES)


@pytest.mark.parametrize("outcome", ["done", "failed", "lost", "given_back"])
def test_an_attempt_is_timed_by_its_outcome(outcome):
    def work(row: Deletion) -> None:
        if outcome == "failed":
            raise ValueError
        if outcome == "given_back":
            FILES.give_back(row, SECOND)
        if outcome == "lost":
            Deletion.objects.all().delete()
            FILES.renew(row)

    name, labels = "kallglot_work_duration_seconds_count", {"queue": "file_deletions"}
    before = value(generate_latest(), name, outcome=outcome, **labels)
    add("file", -1)
    row = FILES.claim_next()
    assert row is not None
    FILES.work_on(row, work, lambda row, error: None)
    assert value(generate_latest(), name, outcome=outcome, **labels) == before + 1
