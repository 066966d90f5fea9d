"""Every write of analyses. Claim, commit, analyze, record: no engine runs inside a transaction."""

import datetime
import functools
import random
import traceback
from collections.abc import Mapping, Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from analysis_app import selectors
from analysis_app.engines.base import AnalysisOutcome, AnalysisRequest, Analyzer, AnalyzerError
from analysis_app.engines.registry import analyzer_from_url
from analysis_app.errors import PromptsNotSupported, SessionNotEnded, TranscriptUnavailable
from analysis_app.events import analysis_event
from analysis_app.models import Analysis, AnalysisPolicy
from kallglot_site import doorbell
from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.ids import new_id
from sessions_app.models import Session
from sessions_app.services import session_facets_set
from sessions_app.services.locks import session_lock

log = structlog.get_logger(__name__)

LEASE = datetime.timedelta(minutes=10)  # renewed before each step; a step takes six at most
ATTEMPTS = 4
BACKOFF = datetime.timedelta(seconds=30)  # doubled each time, with jitter


class ClaimLost(Exception):
    """The run is another worker's now, or was erased with its session."""


def configured_analyzer() -> Analyzer:
    return analyzer_from_url(settings.ANALYZER_URL)


def analysis_request(
    *,
    tenant: Tenant,
    session: Session,
    analyses: Sequence[str],
    language: str = "en",
    webhook_url: str = "",
    custom_prompts: Mapping[str, str] | None = None,
    is_automatic: bool = False,
) -> Analysis:
    """Queue a run over an ended session. It waits while the transcript is still being completed.

    Raises SessionNotEnded, TranscriptUnavailable, PromptsNotSupported.
    """
    if not session.is_ended:
        raise SessionNotEnded("This session has not ended. End it, then ask for its analysis.")
    if session.transcript_status == Session.TranscriptStatus.COMPLETE and not session.segment_count:
        raise TranscriptUnavailable("Nothing was said in this session: there is no transcript.")
    analyzer = configured_analyzer()
    if custom_prompts and not analyzer.understands_prompts:
        raise PromptsNotSupported(
            "Custom prompts need a language model, and this installation has none configured "
            "(ANALYZER_URL).",
            param="custom_prompts",
        )
    with transaction.atomic():
        analysis = Analysis.objects.create(
            organization=tenant.organization,
            environment=tenant.environment,
            session=session,
            analyses=list(dict.fromkeys(analyses)),
            language=language,
            webhook_url=webhook_url,
            custom_prompts=dict(custom_prompts or {}),
            is_automatic=is_automatic,
            estimated_completion=selectors.estimate_completion(
                session=session, engine=analyzer.name
            ),
        )
        transaction.on_commit(ring)
    return analysis


def ring() -> None:
    """Wake a worker. The row is the truth: when the broker is down, the sweep finds it."""
    doorbell.ring("analysis_app.tasks.analyze_due")


def _free(now: datetime.datetime) -> Q:
    """Its time has come and nobody is at it."""
    abandoned = Q(status=Analysis.Status.PROCESSING, lease_expires_at__lte=now)
    return (Q(status=Analysis.Status.QUEUED) | abandoned) & Q(due_at__lte=now)


def _due(now: datetime.datetime) -> Q:
    return _free(now) & Q(session__transcript_status=Session.TranscriptStatus.COMPLETE)


def analysis_claim() -> Analysis | None:
    """Lease the next due run, or None. A conditional UPDATE: of two workers one gets the row."""
    now = timezone.now()
    for identifier in (
        Analysis.objects.filter(_due(now)).order_by("due_at").values_list("id", flat=True)[:10]
    ):
        claim = new_id("claim")
        taken = Analysis.objects.filter(_free(now), id=identifier).update(
            status=Analysis.Status.PROCESSING,
            claim=claim,
            lease_expires_at=now + LEASE,
            started_at=now,
            attempts=F("attempts") + 1,
        )
        claimed = Analysis.objects.select_related("session", "organization").filter(claim=claim)
        # It may have been erased with its session since.
        if taken and (analysis := claimed.first()) is not None:
            return analysis
    return None


def analysis_run(*, analysis: Analysis) -> None:
    """Analyze a claimed run and record how it went. The engine runs outside any transaction."""
    if analysis.attempts > ATTEMPTS:  # its workers died each time: it will not be better
        analysis_fail(analysis=analysis, reason="The analysis was interrupted too many times.")
        return
    call = selectors.call_of(analysis.session)
    if not call.turns:
        analysis_fail(analysis=analysis, reason="Nothing was said in this session.")
        return
    request = AnalysisRequest(
        analyses=analysis.analyses,
        language=analysis.language,
        checks=selectors.organization_checks(analysis.organization),
        custom_prompts=analysis.custom_prompts,
        still_wanted=functools.partial(_renew, analysis),
    )
    try:
        outcome = configured_analyzer().analyze(call, request)
    except ClaimLost:
        log.info("analysis_claim_lost", analysis_id=analysis.id)
    except AnalyzerError as error:
        if error.retryable and analysis.attempts < ATTEMPTS:
            _retry_later(analysis)
        else:
            analysis_fail(analysis=analysis, reason=str(error))
    except Exception as error:  # an engine's own fault: the row must end, or it is run for ever
        # Where, but not the message: it may quote what was said.
        where = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "analysis_broke",
            analysis_id=analysis.id,
            reason=type(error).__name__,
            where=f"{where.filename}:{where.lineno}",
        )
        analysis_fail(analysis=analysis, reason="The analyzer met an internal error.")
    else:
        analysis_complete(analysis=analysis, outcome=outcome)


def _renew(analysis: Analysis) -> None:
    """Keep the lease while a slow engine works. Raises ClaimLost."""
    renewed = Analysis.objects.filter(
        id=analysis.id, claim=analysis.claim, status=Analysis.Status.PROCESSING
    ).update(lease_expires_at=timezone.now() + LEASE)
    if not renewed:
        raise ClaimLost


def _retry_later(analysis: Analysis) -> None:
    wait = BACKOFF * 2 ** (analysis.attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter
    Analysis.objects.filter(id=analysis.id, claim=analysis.claim).update(
        status=Analysis.Status.QUEUED, due_at=timezone.now() + wait, lease_expires_at=None
    )


@transaction.atomic
def analysis_complete(*, analysis: Analysis, outcome: AnalysisOutcome) -> bool:
    """Record the results and their event together; False when the claim was lost meanwhile."""
    # First, as whoever erases it does: or each waits for the other.
    session_lock(analysis.session_id)
    finished = _finish(
        analysis,
        status=Analysis.Status.COMPLETE,
        engine=outcome.engine,
        results=outcome.results,
        error=None,
    )
    if finished:
        _record_facets(analysis)
    return finished


@transaction.atomic
def analysis_fail(*, analysis: Analysis, reason: str) -> bool:
    return _finish(analysis, status=Analysis.Status.FAILED, error=reason)


def _record_facets(analysis: Analysis) -> None:
    """What session lists can be filtered by."""
    facets: dict[str, str | bool] = {}
    if "sentiment" in analysis.results:
        facets["sentiment"] = analysis.results["sentiment"]["label"]
    if "compliance" in analysis.results:
        facets["compliance_passed"] = analysis.results["compliance"]["passed"]
    if facets:
        session_facets_set(session_id=analysis.session_id, **facets)


def _finish(analysis: Analysis, **values: object) -> bool:
    """Write the end of a run under its claim, and tell of it."""
    changed = Analysis.objects.filter(
        id=analysis.id, claim=analysis.claim, status=Analysis.Status.PROCESSING
    ).update(completed_at=timezone.now(), lease_expires_at=None, **values)
    if not changed:
        return False
    analysis.refresh_from_db()
    analysis_event(analysis)
    return True


def policy_update(
    *,
    organization: Organization,
    automatic: Sequence[str] | None = None,
    checks: Sequence[Mapping[str, object]] | None = None,
) -> AnalysisPolicy:
    """Set which analyses every call gets, and the compliance checks; None leaves as is."""
    policy, _ = AnalysisPolicy.objects.get_or_create(organization=organization)
    if automatic is not None:
        policy.automatic = list(dict.fromkeys(automatic))
    if checks is not None:
        policy.checks = [dict(check) for check in checks]
    policy.save()
    return policy


def automatic_analysis_request(*, session: Session) -> Analysis | None:
    """What the organization wants of every call, queued in the transaction that completes it."""
    if not session.segment_count:
        return None
    policy = AnalysisPolicy.objects.filter(organization_id=session.organization_id).first()
    if policy is None or not policy.automatic:
        return None
    if Analysis.objects.filter(session=session, is_automatic=True).exists():
        return None
    return analysis_request(
        tenant=Tenant(session.organization, session.environment),
        session=session,
        analyses=policy.automatic,
        is_automatic=True,
    )


def analyses_retry(*, queryset: QuerySet[Analysis]) -> int:
    """Queue failed runs again, with their attempts counted anew."""
    count = queryset.filter(status=Analysis.Status.FAILED).update(
        status=Analysis.Status.QUEUED,
        attempts=0,
        error=None,
        completed_at=None,
        due_at=timezone.now(),
    )
    ring()
    return count
