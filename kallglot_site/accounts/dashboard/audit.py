"""Audit log entries from dashboard views."""

from kallglot_site.accounts.dashboard.access import StaffRequest
from kallglot_site.accounts.members import audit_record


def audit(request: StaffRequest, action: str, target: str = "", detail: str = "") -> None:
    """Record what the person did. Call it in the transaction of the change; never pass a secret."""
    audit_record(
        organization=request.tenant.organization,
        actor=request.user,
        action=action,
        target=target,
        detail=detail,
        environment=request.tenant.environment,
    )
