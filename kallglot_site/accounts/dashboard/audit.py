"""Audit log entries from dashboard views."""

from kallglot_site.accounts.dashboard.access import StaffRequest
from kallglot_site.accounts.members import audit_record

_OF_THE_ORGANIZATION = {
    "invitation.created",
    "invitation.withdrawn",
    "member.role_changed",
    "member.removed",
    "member.reset_link_made",
    "analysis.policy_changed",
    "recordings.retention",
}


def audit(request: StaffRequest, action: str, target: str = "", detail: str = "") -> None:
    """Record what the person did. Call it in the transaction of the change; never pass a secret.

    What concerns the whole organization has no environment.
    """
    of_all = action in _OF_THE_ORGANIZATION or action.startswith("organization.")
    audit_record(
        organization=request.tenant.organization,
        actor=request.user,
        action=action,
        target=target,
        detail=detail,
        environment="" if of_all else request.tenant.environment,
    )
