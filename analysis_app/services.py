"""Every write of analyses. Claim, commit, analyze, record: no engine runs inside a transaction."""

import datetime
import functools
import random
import traceback
from collections.abc import Mapping, Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from analysis_app import selectors
from analysis_app.engines.base import AnalysisOutcome, AnalysisRequest, Analyzer, AnalyzerError
from analysis_app.engines.registry import analyzer_from_url
from analysis_app.errors import PromptsNotSupported, SessionNotEnded, TranscriptUnavailable
from analysis_app.metrics import FINISHED
from analysis_app.models import TO_DO, Analysis, AnalysisPolicy
from analysis_app.payloads import analysis_event
from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.leases import LeaseLost, WorkQueue
from sessions_app.models import Session
from sessions_app.services import session_facets_set
from sessions_app.services.locks import session_lock

log = structlog.get_logger(__name__)

_BACKOFF = datetime.timedelta(seconds=30)


def _backoff(attempts: int) -> datetime.timedelta:
    """Doubled each time, with jitter."""
    return _BACKOFF * (1 << (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter


ANALYSES = WorkQueue(
    name="analyses",
    model=Analysis,
    task="analysis_app.tasks.analyze_due",
    open=TO_DO,
    ready=Q(session__transcript_status=Session.TranscriptStatus.COMPLETE)
    & (Q(lease_expires_at=None) | Q(lease_expires_at__lte=Now())),
    related=("session", "organization"),
    max_attempts=4,
    backoff=_backoff,
    at_claim=lambda now: {
        "status": Analysis.Status.PROCESSING,
        "started_at": now,
        "lease_expires_at": None,
    },
)


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
        raise SessionNotEnded("This session has not ended. End it, then request its analysis.")
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
        ANALYSES.ring()
    return analysis


def analyses_run_due() -> int:
    """Run every analysis that is due. Returns how many were started."""
    return ANALYSES.work_off(_run, _interrupted)


def _interrupted(analysis: Analysis, error: Exception | None) -> None:
    """Fail a run whose workers were killed each time, or whose result could not be written."""
    reason = "The analysis was interrupted too many times."
    analysis_fail(analysis=analysis, reason=reason)


def _run(analysis: Analysis) -> None:
    """Analyze a claimed run and record how it went. The engine runs outside any transaction.

    Raises LeaseLost.
    """
    call = selectors.call_of(analysis.session)
    if not call.turns:
        analysis_fail(analysis=analysis, reason="Nothing was said in this session.")
        return
    request = AnalysisRequest(
        analyses=analysis.analyses,
        language=analysis.language,
        checks=selectors.organization_checks(analysis.organization),
        custom_prompts=analysis.custom_prompts,
        # A worker that has lost the run stops before the next request to a language model.
        still_wanted=functools.partial(ANALYSES.renew, analysis),
    )
    try:
        outcome = configured_analyzer().analyze(call, request)
    except LeaseLost:
        raise
    except AnalyzerError as error:
        if error.retryable and not ANALYSES.is_last_attempt(analysis):
            ANALYSES.give_back(analysis, _backoff(analysis.attempts), status=Analysis.Status.QUEUED)
        else:
            analysis_fail(analysis=analysis, reason=str(error))
    except Exception as error:  # a defect of the engine: a retry would not help
        _log_defect(analysis, error)
        analysis_fail(analysis=analysis, reason="The analyzer met an internal error.")
    else:
        analysis_complete(analysis=analysis, outcome=outcome)


def _log_defect(analysis: Analysis, error: Exception) -> None:
    """Log where it happened, but not the message, which may quote the call."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "analysis_broke",
        analysis_id=analysis.id,
        reason=type(error).__name__,
        where=f"{where.filename}:{where.lineno}",
    )


@transaction.atomic
def analysis_complete(*, analysis: Analysis, outcome: AnalysisOutcome) -> bool:
    """Record the results and their event together; False when the lease was lost meanwhile."""
    # Locked before the analysis, in the same order as erasing a session does, to avoid a deadlock.
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
    """Store the results that the list of sessions can be filtered by in the session."""
    facets: dict[str, str | bool] = {}
    if "sentiment" in analysis.results:
        facets["sentiment"] = analysis.results["sentiment"]["label"]
    if "compliance" in analysis.results:
        facets["compliance_passed"] = analysis.results["compliance"]["passed"]
    if facets:
        session_facets_set(session_id=analysis.session_id, **facets)


def _finish(analysis: Analysis, **values: object) -> bool:
    """Write the end of a run and its event. False: another worker has it, or it was erased."""
    try:
        ANALYSES.finish(analysis, completed_at=timezone.now(), **values)
    except LeaseLost:
        log.info("analysis_lease_lost", analysis_id=analysis.id)
        return False
    analysis.refresh_from_db()
    analysis_event(analysis)
    transaction.on_commit(FINISHED.labels(analysis.status).inc, robust=True)
    return True


def policy_update(
    *,
    organization: Organization,
    automatic: Sequence[str] | None = None,
    checks: Sequence[Mapping[str, object]] | None = None,
) -> AnalysisPolicy:
    """Set which analyses every call gets, and the compliance checks; None: unchanged."""
    policy, _ = AnalysisPolicy.objects.get_or_create(organization=organization)
    if automatic is not None:
        policy.automatic = list(dict.fromkeys(automatic))
    if checks is not None:
        policy.checks = [dict(check) for check in checks]
    policy.save()
    return policy


def automatic_analysis_request(*, session: Session) -> Analysis | None:
    """Queue the analyses that the organization wants of every call.

    Part of the transaction that completes the transcript.
    """
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
    """Queue failed runs again, with attempts counted from 0."""
    count = queryset.filter(status=Analysis.Status.FAILED).update(
        status=Analysis.Status.QUEUED,
        attempts=0,
        error=None,
        completed_at=None,
        due_at=timezone.now(),
    )
    ANALYSES.ring()
    return count
