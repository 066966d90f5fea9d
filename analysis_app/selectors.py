"""Every scoped read of analyses."""

import datetime
import statistics

from django.db.models import QuerySet
from django.utils import timezone

from analysis_app.engines.base import Call, ComplianceCheck, Turn
from analysis_app.models import TO_DO, Analysis, AnalysisPolicy
from kallglot_site.accounts.models import Organization
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.lookup import get_or_not_found
from sessions_app.models import Segment, Session

HISTORY = 50  # finished runs that an estimate looks back on
WAITING = 1000  # waiting runs that an estimate counts at most
FIRST_GUESS = 5.0  # seconds a run takes while there is no history
SECONDS_PER_MINUTE = 0.2  # engine seconds per minute of call while there is no history


def analysis_list(*, tenant: Tenant) -> QuerySet[Analysis]:
    return Analysis.objects.filter(**tenant.filters)


def session_analyses(*, tenant: Tenant, session: Session) -> QuerySet[Analysis]:
    return analysis_list(tenant=tenant).filter(session_id=session.id)


def analysis_get(*, tenant: Tenant, analysis_id: str) -> Analysis:
    """Raises NotFound."""
    return get_or_not_found(
        analysis_list(tenant=tenant), analysis_id, prefix="ana", kind="analysis"
    )


def organization_checks(organization: Organization) -> tuple[ComplianceCheck, ...]:
    """The organization's own compliance checks; if it has set none, the default ones."""
    policy = AnalysisPolicy.objects.filter(organization=organization).first()
    return tuple(
        ComplianceCheck(
            name=check["name"],
            phrases=tuple(check["phrases"]),
            kind=check.get("kind", "required"),
            speaker=check.get("speaker"),
            position=check.get("position", "anywhere"),
            within=check.get("within"),
        )
        for check in (policy.checks if policy else [])
    )


def call_of(session: Session) -> Call:
    """The finished call as the engines see it."""
    began = session.started_at or session.created_at
    turns = [
        Turn(
            id=segment.id,
            speaker=segment.speaker,
            language=segment.language,
            text=segment.text,
            translation=segment.translation,
            start=segment.start_time,
            end=segment.end_time,
            translation_language=segment.translation_language,
        )
        for segment in Segment.objects.filter(session=session).order_by("start_time", "id")
    ]
    return Call(
        turns=turns,
        duration=session.duration,
        date=began.date(),
        source_language=session.source_language,
        target_language=session.target_language,
    )


def estimate_completion(*, session: Session, engine: str) -> datetime.datetime:
    """When a run asked for now will be done, from how long this engine's runs took lately.

    Each run that waits before it counts as a median run; its own time grows with the call's length.
    Reads a bounded number of rows by index, so the caller may hold the session's lock.
    """
    history = [
        ((done - started).total_seconds(), duration)
        for started, done, duration in Analysis.objects.filter(
            status=Analysis.Status.COMPLETE, engine=engine, started_at__isnull=False
        )
        .order_by("-id")
        .values_list("started_at", "completed_at", "session__duration")[:HISTORY]
        if started and done
    ]
    minutes = max(1.0, session.duration / 60)
    if history:
        typical = statistics.median(seconds for seconds, _ in history)
        by_minute = statistics.median(
            seconds / max(1.0, duration / 60) for seconds, duration in history
        )
    else:
        typical, by_minute = FIRST_GUESS, SECONDS_PER_MINUTE
    waiting = Analysis.objects.filter(TO_DO).order_by("due_at")[:WAITING].count()
    seconds = 1.0 + typical * waiting + max(typical, by_minute * minutes)
    return timezone.now() + datetime.timedelta(seconds=seconds)
