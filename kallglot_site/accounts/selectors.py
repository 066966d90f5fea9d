"""Reads of accounts, limited to an organization or a user."""

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from kallglot_site.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    TwoFactor,
    User,
)
from kallglot_site.api.errors import NotFound
from kallglot_site.api.lookup import get_or_not_found


def api_key_list(*, organization: Organization, environment: str | None = None) -> QuerySet[ApiKey]:
    """The organization's keys, newest first, including revoked and expired ones."""
    keys = ApiKey.objects.filter(organization=organization).select_related("created_by")
    if environment is not None:
        keys = keys.filter(environment=environment)
    return keys.order_by("-id")


def api_key_get(*, organization: Organization, api_key_id: str) -> ApiKey:
    """Raises NotFound, for unknown, foreign and malformed ids alike."""
    keys = ApiKey.objects.filter(organization=organization).select_related("organization")
    return get_or_not_found(keys, api_key_id, prefix="key", kind="API key")


def member_list(*, organization: Organization) -> QuerySet[Membership]:
    """The members, by email. ``is_shared``: the account belongs to other organizations too."""
    others = Membership.objects.filter(user=OuterRef("user")).exclude(pk=OuterRef("pk"))
    members = Membership.objects.filter(organization=organization)
    members = members.annotate(is_shared=Exists(others))
    return members.select_related("user", "user__two_factor").order_by("user__email")


def member_get(*, organization: Organization, membership_id: int) -> Membership:
    """Raises NotFound."""
    member = member_list(organization=organization).filter(pk=membership_id).first()
    if member is None:
        raise NotFound("member")
    return member


def two_factor_of(user: User) -> TwoFactor | None:
    """The user's second factor, with ``codes_left``. None while it is off."""
    rows = TwoFactor.objects.filter(user=user)
    return rows.annotate(codes_left=Count("recovery_codes")).first()


def membership_of(*, user: User, organization: Organization) -> Membership | None:
    """The user's membership in the organization, with the organization."""
    members = Membership.objects.filter(user=user, organization=organization)
    return members.select_related("organization").first()


def invitation_list(*, organization: Organization) -> QuerySet[Invitation]:
    """Invitations that may still be accepted, newest first."""
    invitations = Invitation.objects.filter(
        organization=organization, accepted_at=None, expires_at__gt=timezone.now()
    )
    return invitations.select_related("created_by").order_by("-id")


def invitation_get(*, organization: Organization, invitation_id: str) -> Invitation:
    """Raises NotFound."""
    invitations = invitation_list(organization=organization)
    return get_or_not_found(invitations, invitation_id, prefix="inv", kind="invitation")


def audit_list(*, organization: Organization) -> QuerySet[AuditEntry]:
    """The audit log, not ordered: the page orders it."""
    entries = AuditEntry.objects.filter(organization=organization)
    return entries.select_related("actor_key")
