"""The short way to the audit log from a view."""

from kallglot_site.accounts.dashboard.access import StaffRequest
from kallglot_site.accounts.members import audit_record


def audit(request: StaffRequest, action: str, target: str = "", detail: str = "") -> None:
    """Note what the person just did. Inside the transaction of the deed; never a secret."""
    audit_record(
        organization=request.tenant.organization,
        actor=request.user,
        action=action,
        target=target,
        detail=detail,
        environment=request.tenant.environment,
    )
