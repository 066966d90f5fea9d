"""Writes about members: roles, invitations, leaving; and the record of who did what."""

import datetime
import hashlib
import secrets
from typing import Final

from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.errors import InvitationClosed, LastAdmin, WrongAccount
from kallglot_site.accounts.models import (
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
    actor: User | None,
    action: str,
    target: str = "",
    detail: str = "",
    environment: str = "",
) -> AuditEntry:
    """Write into the log who did what. Call it in the transaction of the deed itself.

    ``actor`` None is the operator at the command line. Never pass secrets, phone numbers or
    spoken words: the log outlives what it tells of.
    """
    return AuditEntry.objects.create(
        organization=organization,
        actor=actor,
        actor_email=actor.email if actor else "",
        action=action,
        target=target[:200],
        detail=detail[:500],
        environment=environment,
    )


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invitation_create(
    *, organization: Organization, email: str, role: str, created_by: User
) -> tuple[Invitation, str]:
    """An invitation and its token, to be shown once. An open one for the same email ends."""
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
    """The open invitation of a link. Raises InvitationClosed."""
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

    Raises InvitationClosed; WrongAccount when the email belongs to somebody who is not signed in
    (knowing a link must not open an existing account), or ``user`` has another email.
    """
    invitation = Invitation.objects.select_for_update().get(pk=invitation_find(token).pk)
    if not invitation.is_open:
        raise InvitationClosed
    if user is None:
        if User.objects.filter(email__iexact=invitation.email).exists():
            raise WrongAccount("There is an account with this email: sign in to accept.")
        user = User.objects.create_user(invitation.email, password)
    elif user.email.lower() != invitation.email.lower():
        raise WrongAccount(
            f"This invitation is for {invitation.email}, and you are signed in as {user.email}."
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
    """The person loses this organization; the account stays. Raises LastAdmin."""
    _another_admin_required(membership)
    membership.delete()


def _another_admin_required(membership: Membership) -> None:
    # The organization's row is the lock: two admins who demote each other must not both succeed.
    Organization.objects.select_for_update(no_key=True).get(pk=membership.organization_id)
    others = Membership.objects.filter(
        organization_id=membership.organization_id, role=Membership.Role.ADMIN
    ).exclude(pk=membership.pk)
    if membership.is_admin and not others.exists():
        raise LastAdmin


def organization_two_factor_require(*, organization: Organization, required: bool) -> Organization:
    """Whether members need a second factor. Who has none is led to setting it up."""
    organization.requires_two_factor = required
    organization.save(update_fields=["requires_two_factor"])
    return organization


def organization_rename(*, organization: Organization, name: str) -> Organization:
    organization.name = name
    organization.save(update_fields=["name"])
    return organization


def organization_listen_in_set(*, organization: Organization, allowed: str) -> Organization:
    """Who may listen in on running calls: a ``ListenIn``. Holds for those who do so now as well."""
    organization.listen_in = allowed
    organization.save(update_fields=["listen_in"])
    return organization


def account_may_be_reset_by_admin(membership: Membership) -> bool:
    """Only for people whose account is this organization's alone: an admin here must not get into
    another organization, or into the Django admin, through a shared member."""
    user = membership.user
    return not (user.is_staff or user.is_superuser) and not (
        Membership.objects.filter(user=user).exclude(pk=membership.pk).exists()
    )
