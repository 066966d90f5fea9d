"""An analysis is a row: leased, analyzed outside of transactions, finished once."""

import datetime
import threading

import pytest
from django.utils import timezone

from analysis_app import selectors, services
from analysis_app.engines.base import AnalysisOutcome, Analyzer, AnalyzerError
from analysis_app.errors import PromptsNotSupported, SessionNotEnded, TranscriptUnavailable
from analysis_app.models import Analysis
from analysis_app.tasks import analyze_due
from kallglot_site import leases
from kallglot_site.leases import LEASE
from sessions_app.models import Session
from sessions_app.services.translations import SegmentTranslation, segments_translate
from sessions_app.signals import transcript_completed
from tests.fakes.metrics import counted
from tests.fakes.sockets import TIMEOUT
from webhooks_app.models import Delivery, Event


class Scripted(Analyzer):
    """An analyzer whose runs return or raise the given outcomes."""

    name = "scripted"

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def _analyze(self, call, request):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def request_one(cast, session):
    def request(**kwargs):
        kwargs.setdefault("analyses", ["quality"])
        return services.analysis_request(tenant=cast.tenant, session=session, **kwargs)

    return request


def scripted(monkeypatch, *outcomes):
    analyzer = Scripted(*outcomes)
    monkeypatch.setattr(services, "configured_analyzer", lambda: analyzer)


def test_a_run_has_only_the_requested_results_and_an_event(request_one):
    analysis = request_one(analyses=["summary", "sentiment"])
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "complete"
    assert set(analysis.results) == {"summary", "sentiment"}
    assert analysis.engine == "local"
    event = Event.objects.get(type="analysis.complete")
    assert event.data["results"] == analysis.results


@pytest.mark.django_db(transaction=True)
def test_runs_are_counted_by_how_they_ended(request_one, monkeypatch):
    with counted("kallglot_analyses_finished_total") as finished:
        request_one()
        analyze_due()
        scripted(monkeypatch, AnalyzerError("The model refuses this.", retryable=False))
        request_one()
        analyze_due()
    assert finished == {("complete",): 1, ("failed",): 1}


def test_results_are_stored_as_facets_of_the_session(request_one, session):
    request_one(analyses=["sentiment", "compliance"])
    analyze_due()
    session.refresh_from_db()
    assert session.sentiment == "negative"
    assert session.compliance_passed is False


def test_a_call_is_analyzed_through_its_live_translation(session):
    """Also when the languages were not named at the creation, or changed during the call."""
    segment = session.segments.get(sequence=2)
    session.segments.filter(id=segment.id).update(language="es", text="Mi pedido llega tarde.")
    spoken = SegmentTranslation(segment.id, "en-US", "My order is late.")
    segments_translate(session_id=session.id, translations=[spoken])
    call = selectors.call_of(session)
    assert [call.english(turn) for turn in call.turns] == ["Good morning.", "My order is late."]
    assert call.text_in(call.turns[1], "fr") is None


def test_the_receiver_named_with_the_request_gets_a_delivery(request_one):
    request_one(webhook_url="https://example.com/hook")
    analyze_due()
    delivery = Delivery.objects.get()
    assert delivery.event.type == "analysis.complete"
    assert delivery.endpoint.url == "https://example.com/hook"


def test_a_running_session_cannot_be_analyzed(request_one, session):
    Session.objects.update(status=Session.Status.ACTIVE)
    session.refresh_from_db()
    with pytest.raises(SessionNotEnded):
        request_one()


def test_a_session_without_speech_cannot_be_analyzed(request_one, session):
    Session.objects.update(segment_count=0)
    session.refresh_from_db()
    with pytest.raises(TranscriptUnavailable):
        request_one()


def test_custom_prompts_need_a_language_model(request_one):
    with pytest.raises(PromptsNotSupported) as caught:
        request_one(custom_prompts={"summary": "Rhyme."})
    assert caught.value.param == "custom_prompts"


def test_a_run_waits_for_the_transcript(request_one, session):
    Session.objects.update(transcript_status=Session.TranscriptStatus.IN_PROGRESS)
    session.refresh_from_db()
    analysis = request_one()
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "queued"


def test_a_leased_run_is_not_claimed_again(request_one):
    request_one()
    assert services.ANALYSES.claim_next() is not None
    assert services.ANALYSES.claim_next() is None


def test_a_killed_workers_run_is_finished_by_another(request_one):
    analysis = request_one()
    services.ANALYSES.claim_next()
    Analysis.objects.update(due_at=timezone.now() - datetime.timedelta(seconds=1))
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "complete"
    assert analysis.attempts == 2


def test_a_worker_that_lost_its_lease_cannot_write(request_one):
    request_one()
    slow = services.ANALYSES.claim_next()
    Analysis.objects.update(due_at=timezone.now() - datetime.timedelta(seconds=1))
    fast = services.ANALYSES.claim_next()
    assert slow
    assert fast
    outcome = AnalysisOutcome(results={"quality": {"by": "fast"}}, engine="fast")
    assert services.analysis_complete(analysis=fast, outcome=outcome) is True
    assert services.analysis_complete(analysis=slow, outcome=outcome) is False
    assert Event.objects.filter(type="analysis.complete").count() == 1


class Slow(Analyzer):
    """An analyzer of two steps. Between them it calls ``meanwhile``."""

    name = "slow"

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile
        self.finished = False

    def _analyze(self, call, request):
        self.meanwhile()
        request.still_wanted()
        self.finished = True
        return {"quality": {}}


def test_a_slow_run_keeps_its_lease_from_step_to_step(request_one, monkeypatch):
    def nearly_run_out():
        Analysis.objects.update(due_at=timezone.now() + datetime.timedelta(seconds=1))

    leased = []
    slow = Slow(nearly_run_out)
    monkeypatch.setattr(services, "configured_analyzer", lambda: slow)
    complete = services.analysis_complete

    def completing(*, analysis, outcome):
        fresh = timezone.now() + LEASE / 2
        leased.append(Analysis.objects.filter(due_at__gt=fresh).exists())
        return complete(analysis=analysis, outcome=outcome)

    monkeypatch.setattr(services, "analysis_complete", completing)
    request_one()
    analyze_due()
    assert leased == [True]


def test_the_lease_is_renewed_while_a_language_model_is_slow(request_one, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    renewed = threading.Event()

    def renewing(queue, key, token):
        renewed.set()
        return True

    monkeypatch.setattr(leases.WorkQueue, "_renew", renewing)
    seen = []
    slow = Slow(lambda: seen.append(renewed.wait(TIMEOUT)))
    monkeypatch.setattr(services, "configured_analyzer", lambda: slow)
    request_one()
    analyze_due()
    assert seen == [True]


def test_a_run_held_by_a_worker_of_an_earlier_version_is_not_claimed(request_one):
    request_one()
    held = timezone.now() + datetime.timedelta(minutes=5)
    Analysis.objects.update(status="processing", lease="its own", lease_expires_at=held)
    assert services.ANALYSES.claim_next() is None
    Analysis.objects.update(lease_expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert services.ANALYSES.claim_next() is not None


@pytest.mark.parametrize("meanwhile", ["claimed by another worker", "erased"])
def test_a_worker_stops_a_run_that_it_has_lost(request_one, monkeypatch, meanwhile):
    def lose():
        if meanwhile == "erased":
            Analysis.objects.all().delete()
        else:
            Analysis.objects.update(lease="another")

    slow = Slow(lose)
    monkeypatch.setattr(services, "configured_analyzer", lambda: slow)
    request_one()
    analyze_due()
    assert not slow.finished
    assert not Event.objects.filter(type__startswith="analysis.").exists()


def test_a_run_that_kills_its_workers_is_given_up_with_a_reason(request_one):
    analysis = request_one()
    Analysis.objects.update(attempts=services.ANALYSES.max_attempts)
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "failed"
    assert "interrupted" in analysis.error
    assert Event.objects.filter(type="analysis.failed").exists()


def test_a_retryable_error_is_retried_later(request_one, monkeypatch):
    scripted(monkeypatch, AnalyzerError("busy", retryable=True), {"quality": {}})
    analysis = request_one()
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "queued"
    assert analysis.due_at > timezone.now()
    Analysis.objects.update(due_at=timezone.now())
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "complete"


def test_the_number_of_attempts_is_bounded(request_one, monkeypatch):
    scripted(monkeypatch, *[AnalyzerError("busy", retryable=True)] * 10)
    analysis = request_one()
    for _ in range(services.ANALYSES.max_attempts):
        Analysis.objects.update(due_at=timezone.now())
        analyze_due()
    analysis.refresh_from_db()
    assert (analysis.status, analysis.error) == ("failed", "busy")


def test_a_crashed_analyzer_fails_the_run_with_a_reason_and_logs_no_transcript(
    request_one, monkeypatch, caplog, capfd
):
    scripted(monkeypatch, ZeroDivisionError("secret words of the call"))
    analysis = request_one()
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "failed"
    assert "secret words" not in analysis.error
    logged = caplog.text + "".join(capfd.readouterr())
    assert "analysis_broke" in logged
    assert "secret words" not in logged


def test_an_operator_can_queue_failed_runs_again(request_one, monkeypatch):
    analysis = request_one()
    Analysis.objects.update(status="failed", error="boom", attempts=4)
    assert services.analyses_retry(queryset=Analysis.objects.all()) == 1
    analyze_due()
    analysis.refresh_from_db()
    assert analysis.status == "complete"


def test_a_policy_starts_an_analysis_of_every_call(cast, session):
    services.policy_update(organization=cast.organization, automatic=["summary", "quality"])
    transcript_completed.send(sender=Session, session=session)
    analysis = Analysis.objects.get()
    assert analysis.is_automatic
    assert analysis.analyses == ["summary", "quality"]
    transcript_completed.send(sender=Session, session=session)
    assert Analysis.objects.count() == 1


def test_without_a_policy_no_analysis_starts_automatically(session):
    transcript_completed.send(sender=Session, session=session)
    assert not Analysis.objects.exists()


def test_an_organizations_own_checks_replace_the_default_ones(cast, request_one):
    services.policy_update(
        organization=cast.organization,
        checks=[{"name": "brand", "phrases": ["acme"], "speaker": "agent"}],
    )
    analysis = request_one(analyses=["compliance"])
    analyze_due()
    analysis.refresh_from_db()
    assert [check["name"] for check in analysis.results["compliance"]["checks"]] == ["brand"]


def test_estimates_follow_measured_history(cast, session, request_one):
    first_guess = request_one().estimated_completion - timezone.now()
    Analysis.objects.all().delete()
    now = timezone.now()
    for _ in range(5):
        Analysis.objects.create(
            organization=cast.organization,
            environment="live",
            session=session,
            status="complete",
            engine="local",
            analyses=["quality"],
            started_at=now - datetime.timedelta(minutes=5),
            completed_at=now,
        )
    assert request_one().estimated_completion - timezone.now() > 10 * first_guess
