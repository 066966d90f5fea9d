"""Analyses as the API returns them, and the webhook events that carry them."""

from typing import Any

from analysis_app.models import Analysis
from kallglot_site.accounts.tenancy import Tenant
from sessions_app.payloads import moment
from webhooks_app.services import delivery_create_for_url, event_record

ANALYSIS_COMPLETE = "analysis.complete"
ANALYSIS_FAILED = "analysis.failed"


def analysis_payload(analysis: Analysis) -> dict[str, Any]:
    """The analysis object. ``results`` has only the requested types, and none until it is done."""
    return {
        "id": analysis.id,
        "object": "analysis",
        "session_id": analysis.session_id,
        "status": analysis.status,
        "analyses": analysis.analyses,
        "language": analysis.language,
        "engine": analysis.engine or None,
        "error": analysis.error,
        "created_at": moment(analysis.created_at),
        "estimated_completion": moment(analysis.estimated_completion),
        "completed_at": moment(analysis.completed_at),
        "results": analysis.results,
    }


def analysis_event(analysis: Analysis) -> None:
    """Record the event of a finished run. Part of the transaction that finishes it."""
    tenant = Tenant(analysis.organization, analysis.environment)
    complete = analysis.status == Analysis.Status.COMPLETE
    event = event_record(
        tenant=tenant,
        type=ANALYSIS_COMPLETE if complete else ANALYSIS_FAILED,
        data=analysis_payload(analysis),
        session_id=analysis.session_id,
    )
    if analysis.webhook_url:
        delivery_create_for_url(tenant=tenant, event=event, url=analysis.webhook_url)
