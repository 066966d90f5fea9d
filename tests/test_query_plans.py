"""No statement of a request, a call or a sweep reads a whole table of those that grow."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from analysis_app.services import analyses_run_due
from kallglot_site.accounts.models import Membership
from kallglot_site.accounts.services import api_key_create, member_create
from kallglot_site.api import bounded_search
from kallglot_site.api.idempotency import idempotent_responses_sweep
from kallglot_site.api.throttle_stores import DatabaseStore
from kallglot_site.metrics import database
from recordings_app.assembly import assemblies_run_due
from recordings_app.deletions import deletions_run_due
from recordings_app.sweeps import recordings_expire
from recordings_app.variants import variants_run_due
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.services import claims, sweeps
from sessions_app.services.sessions import recording_pause_set, session_start
from sessions_app.services.transcript_translations import (
    transcript_translation_request,
    transcript_translations_run_due,
)
from sessions_app.services.translations import (
    SegmentTranslation,
    segment_interrupt,
    segments_translate,
)
from sessions_app.session_view import session_states, session_view
from tests.isolation import ROWS, Row
from tests.kallglot_site.test_page_costs import PAGES
from tests.large_tables import LARGE, LargeTables
from tests.query_plans import FullRead, full_reads
from tests.sessions_app.services.calls import append, claim, final
from webhooks_app.delivery import claims as dispatching
from webhooks_app.retention import events_purge
from webhooks_app.services import endpoint_disable, endpoint_redeliver
from webhooks_app.tidying import strays_cancel

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Bounded:
    """A full read that is bounded by design. ``step`` and ``sql`` are parts of its plan and
    statement."""

    table: str
    step: str
    sql: str
    reason: str


BOUNDED: Final = [
    Bounded(
        "api_requestcount",
        "Seq Scan",
        "DELETE FROM api_requestcount",
        "There is one row for each API key and group of endpoints. Among few, PostgreSQL joins the "
        "ids that the index found to all rows.",
    ),
    Bounded(
        "recordings_app_recording",
        "Seq Scan",
        'UPDATE "recordings_app_recording" SET "expires_at"',
        "A new retention changes every recording of the organization.",
    ),
]


def _is_bounded(read: FullRead) -> bool:
    return any(
        each.table == read.table and each.step in read.step and each.sql in read.sql
        for each in BOUNDED
    )


@contextmanager
def no_full_read() -> Iterator[None]:
    with full_reads(LARGE) as found:
        yield
    left = [each for each in found if not _is_bounded(each)]
    assert not left, "These statements read a whole table:\n" + "\n".join(map(str, left))


@pytest.fixture(scope="module")
def large(django_db_setup: None, django_db_blocker: Any) -> Iterator[LargeTables]:
    """Filled once, inside a transaction that is rolled back after the last test."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield LargeTables()
        transaction.set_rollback(True)


@pytest.fixture
def client(large: LargeTables) -> Client:
    """Signed in as an admin, with the API key of the large organization."""
    _, key = api_key_create(tenant=large.tenant, name="key")
    owner = member_create(
        organization=large.organization,
        email="owner@large.example",
        password="password",
        role=Membership.Role.ADMIN,
    ).user
    client = Client(headers={"Authorization": f"Bearer {key}"})
    client.force_login(owner)
    return client


# --- The API and the pages -----------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_request_reads_no_whole_table(client, large, row: Row):
    path, body = row.build(large.tenant)
    with no_full_read():
        response = getattr(client, row.method.lower())(
            path, body or {}, content_type="application/json"
        )
    assert response.status_code == row.success, response.content


LISTS = [
    "/v1/sessions?starting_after={session}",
    "/v1/sessions?ending_before={session}",
    "/v1/sessions?status=active",
    "/v1/sessions?mode=assistive_translation",
    "/v1/sessions?created_after=2020-01-01T00:00:00Z&created_before=2025-01-01T00:00:00Z",
    "/v1/sessions/{session}",
    "/v1/sessions/{session}/transcript",
    "/v1/sessions/{session}/transcript?language=de",
    "/v1/sessions/{session}/recordings",
    "/v1/sessions/{session}/analysis",
    "/v1/events?type=session.ended",
    "/v1/events?session_id={session}",
    "/v1/events?starting_after={event}",
    "/v1/webhook_endpoints/{endpoint}/deliveries",
    "/v1/webhook_endpoints/{endpoint}/deliveries?status=failed",
    "/v1/webhook_endpoints/{endpoint}/deliveries?starting_after={delivery}",
    "/v1/webhook_deliveries/{delivery}",
]

SEARCHES = [
    "/dashboard/sessions?after={session}",
    "/dashboard/sessions?status=ended",
    "/dashboard/sessions?mode=ai_agent",
    "/dashboard/sessions?until=2025-01-01",
    "/dashboard/sessions?language=de",
    "/dashboard/sessions?shortest=60",
    "/dashboard/sessions?sentiment=negative",
    "/dashboard/sessions?compliance=failed",
    "/dashboard/sessions?compliance=passed",
    "/dashboard/sessions?meta=customer_id%3Dcust_77",
    "/dashboard/sessions?q=unsaid",
    "/dashboard/sessions?q=word7",
    "/dashboard/sessions?q=%22word7%22+order",
    "/dashboard/webhooks/{endpoint}?type=analysis.failed",
    "/dashboard/webhooks/{endpoint}?status=failed",
]


@pytest.mark.parametrize("path", [*LISTS, *PAGES, *SEARCHES])
def test_a_page_reads_no_whole_table(client, large, path, monkeypatch):
    # A second batch is as large as the machine is fast: here it might be the whole table.
    monkeypatch.setattr(bounded_search, "TIME_LIMIT", 0.0)
    places = {
        "session": large.sessions[6001].id,
        "event": large.events[6001].id,
        "endpoint": large.endpoints[1].id,
        "delivery": large.deliveries[6001].id,
    }
    with no_full_read():
        response = client.get(path.format(**places))
    assert response.status_code == 200, response.content


FORMS = [
    ("/dashboard/sessions/{session}/erase", {}),
    ("/dashboard/sessions/{session}/recordings-delete", {}),
    ("/dashboard/settings/recordings", {"retention_days": "20"}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_reads_no_whole_table(client, large, path, fields):
    with no_full_read():
        response = client.post(path.format(session=large.sessions[6002].id), fields)
    assert response.status_code == 302


# --- A call --------------------------------------------------------------------------------------


def test_a_call_reads_no_whole_table(large, settings):
    with no_full_read():
        session = sessions.session_create(tenant=large.tenant, mode="transcription")
        held = claim(session)
        session_start(session_id=session.id, arrived_at=timezone.now())
        beat = claims.Beat(held, 1.0, heard=True, replaced=False)
        claims.tracks_beat([beat])
        append(held, final(1))
        translation = SegmentTranslation("seg_1", "es", "Buenos días.")
        segments_translate(session_id=session.id, translations=[translation])
        segment_interrupt(session_id=session.id, segment_id="seg_1")
        recording_pause_set(session_id=session.id, paused=True)
        claims.track_pause_applied(claim=held, paused=True)
        claims.track_switch_set(claim=held, muted=True)
        session_states([session.id])
        session_view(session.id, 0, 0)
        after = claim(session, "there")
        claims.track_handed_over(after)
        claims.tracks_beat([claims.Beat(held, 1.0, heard=True, replaced=True)])
        append(held, final(2))
        claims.track_hand_over(claim=held, position=4.0, told_sequence=1)
        claims.track_release(claim=held, position=4.0)
        session = sessions.session_end(session=session)
        claims.track_release(claim=after, position=5.0)


def test_translating_a_transcript_reads_no_whole_table(large):
    with no_full_read():
        # As spoken: this needs no engine.
        transcript_translation_request(session=large.sessions[6001], language="en")
        transcript_translations_run_due()


def test_erasing_a_session_reads_no_whole_table(large):
    with no_full_read():
        sessions.session_erase(session=large.sessions[6000])
    assert not Session.objects.filter(id=large.sessions[6000].id).exists()


# --- Sweeps --------------------------------------------------------------------------------------


def _dispatch() -> None:
    assert dispatching.work_exists()
    assert dispatching.slot_acquire("dispatcher", 2)
    assert dispatching.claim("dispatcher", dispatching.Limits(total=256, shares={}))
    dispatching.slot_renew("dispatcher")
    dispatching.slot_release("dispatcher")
    dispatching.DELIVERIES.release("dispatcher")


SWEEPS = [
    sweeps.sessions_end_idle,
    sweeps.claims_end_expired,
    sweeps.transcripts_complete_abandoned,
    recordings_expire,
    deletions_run_due,
    assemblies_run_due,
    variants_run_due,
    analyses_run_due,
    transcript_translations_run_due,
    _dispatch,
    strays_cancel,
    events_purge,
    idempotent_responses_sweep,
    DatabaseStore().sweep,
]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.__qualname__)
def test_a_sweep_reads_no_whole_table(large, sweep):
    with no_full_read():
        sweep()


def test_disabling_and_redelivering_reads_no_whole_table(large):
    endpoint = large.endpoints[2]
    with no_full_read():
        endpoint_redeliver(endpoint=endpoint, since=timezone.now() - datetime.timedelta(days=1))
        endpoint_disable(endpoint=endpoint, reason="manual")
        strays_cancel()


def test_a_request_is_counted_without_reading_the_counts(large):
    with no_full_read():
        assert DatabaseStore().increment("key_6000", 1) == 1


@pytest.mark.parametrize("source", database.SOURCES)
def test_metrics_read_no_whole_table(large, source):
    with no_full_read():
        assert list(database.SOURCES[source].read())


def test_a_full_read_is_found(large):
    with full_reads(LARGE) as found:
        list(Session.objects.filter(word_count=5).values_list("id"))
    assert [each.table for each in found] == ["sessions_app_session"]
