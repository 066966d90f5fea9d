"""Writes about members (roles, invitations, removal) and the audit log."""

import datetime
import hashlib
import secrets
from typing import Final

from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.errors import InvitationClosed, LastAdmin, WrongAccount
from kallglot_site.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    User,
)

INVITATION_LIFETIME: Final = datetime.timedelta(days=7)


def audit_record(
    *,
    organization: Organization,
    actor: User | ApiKey | None,
    action: str,
    target: str = "",
    detail: str = "",
    environment: str = "",
) -> AuditEntry:
    """Add an entry to the audit log. Call it in the transaction of the change itself.

    ``actor`` None is an operator at the command line. Never pass secrets, phone numbers or
    spoken words: entries are kept after the session is erased.
    """
    user = actor if isinstance(actor, User) else None
    return AuditEntry.objects.create(
        organization=organization,
        actor=user,
        actor_email=user.email if user else "",
        actor_key=actor if isinstance(actor, ApiKey) else None,
        action=action,
        target=target[:200],
        detail=detail[:500],
        environment=environment,
    )


def audit_record_everywhere(*, user: User, actor: User | None, action: str) -> None:
    """Record a change of an account. An account belongs to no organization, so each organization
    of the user gets an entry."""
    for membership in Membership.objects.filter(user=user).select_related("organization"):
        audit_record(
            organization=membership.organization, actor=actor, action=action, target=user.email
        )


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invitation_create(
    *, organization: Organization, email: str, role: str, created_by: User
) -> tuple[Invitation, str]:
    """An invitation and its token, to be shown once. It replaces an open one for the same email."""
    email = email.strip().lower()
    Invitation.objects.filter(
        organization=organization, email__iexact=email, accepted_at=None
    ).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        token_hash=token_hash(token),
        created_by=created_by,
        expires_at=timezone.now() + INVITATION_LIFETIME,
    )
    return invitation, token


def invitation_find(token: str) -> Invitation:
    """The open invitation of a link's token. Raises InvitationClosed."""
    invitation = (
        Invitation.objects.select_related("organization")
        .filter(token_hash=token_hash(token))
        .first()
    )
    if invitation is None or not invitation.is_open:
        raise InvitationClosed
    return invitation


@transaction.atomic
def invitation_accept(
    *, token: str, user: User | None = None, password: str | None = None
) -> Membership:
    """Join the organization: as ``user``, or as a new account with ``password``.

    Raises InvitationClosed. Raises WrongAccount when an account with the email exists and nobody is
    signed in (a link must not open an existing account), or when ``user`` has another email.
    """
    invitation = Invitation.objects.select_for_update().get(pk=invitation_find(token).pk)
    if not invitation.is_open:
        raise InvitationClosed
    if user is None:
        if User.objects.filter(email__iexact=invitation.email).exists():
            raise WrongAccount("An account with this email exists. Sign in to accept.")
        user = User.objects.create_user(invitation.email, password)
    elif user.email.lower() != invitation.email.lower():
        raise WrongAccount(
            f"This invitation is for {invitation.email}, but you are signed in as {user.email}."
        )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    membership, created = Membership.objects.get_or_create(
        user=user, organization=invitation.organization, defaults={"role": invitation.role}
    )
    if not created and invitation.role == Membership.Role.ADMIN:
        membership.role = Membership.Role.ADMIN
        membership.save(update_fields=["role"])
    audit_record(
        organization=invitation.organization,
        actor=user,
        action="invitation.accepted",
        target=user.email,
        detail=f"as {membership.role}",
    )
    return membership


@transaction.atomic
def member_role_set(*, membership: Membership, role: str) -> Membership:
    """Raises LastAdmin."""
    if role != Membership.Role.ADMIN:
        _another_admin_required(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    return membership


@transaction.atomic
def member_remove(*, membership: Membership) -> None:
    """Ends the membership. The account stays. Raises LastAdmin."""
    _another_admin_required(membership)
    membership.delete()


def _another_admin_required(membership: Membership) -> None:
    # Lock the organization: two admins who demote each other must not both succeed.
    Organization.objects.select_for_update(no_key=True).get(pk=membership.organization_id)
    others = Membership.objects.filter(
        organization_id=membership.organization_id, role=Membership.Role.ADMIN
    ).exclude(pk=membership.pk)
    if membership.is_admin and not others.exists():
        raise LastAdmin


def organization_two_factor_require(*, organization: Organization, required: bool) -> Organization:
    """Whether members need a second factor. Members without one are asked to set it up."""
    organization.requires_two_factor = required
    organization.save(update_fields=["requires_two_factor"])
    return organization


def organization_rename(*, organization: Organization, name: str) -> Organization:
    organization.name = name
    organization.save(update_fields=["name"])
    return organization


def organization_listen_in_set(*, organization: Organization, allowed: str) -> Organization:
    """Who may listen in on live calls: a ``ListenIn``. It applies to people listening now, too."""
    organization.listen_in = allowed
    organization.save(update_fields=["listen_in"])
    return organization


def account_may_be_reset_by_admin(membership: Membership) -> bool:
    """Only for accounts of this organization alone: resetting a shared account would give an admin
    access to another organization, or to the Django admin."""
    user = membership.user
    return not (user.is_staff or user.is_superuser) and not (
        Membership.objects.filter(user=user).exclude(pk=membership.pk).exists()
    )
