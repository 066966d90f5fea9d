"""Writes of accounts: API keys, members, the first organization. Members: ``members.py``."""

import datetime
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from kallglot_site.accounts.members import audit_record
from kallglot_site.accounts.models import ApiKey, Environment, Membership, Organization, Scope, User
from kallglot_site.accounts.tenancy import Tenant

_VISIBLE = len("sk_live_") + 8


def api_key_hash(key: str) -> str:
    """SHA-256 is enough: a key holds 256 random bits and cannot be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def api_key_prefix(key: str) -> str:
    """The part that is stored as plain text, to find the key and to show it in lists."""
    return key[:_VISIBLE]


@transaction.atomic
def api_key_create(
    *,
    tenant: Tenant,
    name: str,
    scopes: Sequence[str] = tuple(Scope.values),
    expires_at: datetime.datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret. The secret is not stored: show it once.

    ``created_by`` None is an operator at the command line. Raises ValueError for a scope that does
    not exist, no scope, or an expiry in the past.
    """
    key, secret = _api_key_make(tenant, name, scopes, expires_at, created_by)
    _key_audit(key, created_by, "api_key.created", key.name)
    return key, secret


def _api_key_make(
    tenant: Tenant,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime.datetime | None,
    created_by: User | None,
) -> tuple[ApiKey, str]:
    unknown = set(scopes) - set(Scope.values)
    if unknown or not scopes:
        raise ValueError(f"choose from the scopes {', '.join(Scope.values)}")
    if expires_at is not None and expires_at <= timezone.now():
        raise ValueError("a key cannot expire in the past")
    secret = f"sk_{tenant.environment}_{secrets.token_hex(32)}"
    key = ApiKey.objects.create(
        organization=tenant.organization,
        environment=tenant.environment,
        name=name,
        prefix=api_key_prefix(secret),
        secret_hash=api_key_hash(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        created_by=created_by,
    )
    return key, secret


def _key_audit(key: ApiKey, actor: User | None, action: str, detail: str) -> None:
    audit_record(
        organization=key.organization,
        actor=actor,
        action=action,
        target=key.id,
        detail=detail,
        environment=key.environment,
    )


@transaction.atomic
def api_key_revoke(*, api_key: ApiKey, actor: User | None = None) -> ApiKey:
    """Ends the key at once. Revoking it again changes nothing.

    ``actor`` None is an operator at the command line.
    """
    if _api_key_end(api_key):
        _key_audit(api_key, actor, "api_key.revoked", api_key.name)
    return api_key


def _api_key_end(api_key: ApiKey) -> bool:
    """False if it had been revoked already."""
    now = timezone.now()
    ended = ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=now)
    api_key.refresh_from_db(fields=["revoked_at"])
    return bool(ended)


@transaction.atomic
def api_key_roll(
    *,
    api_key: ApiKey,
    overlap: datetime.timedelta = datetime.timedelta(0),
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key with the same name, scopes and expiry, and its secret, to be shown once.

    The old key ends at once, or after ``overlap``, so that programs can change over. A key that was
    revoked or has expired cannot be rolled: ValueError.
    """
    locked = (
        ApiKey.objects.select_for_update(of=("self",))
        .select_related("organization")
        .get(pk=api_key.pk)
    )
    if locked.revoked_at is not None or locked.has_expired:
        raise ValueError("this key has ended: create a new one")
    tenant = Tenant(locked.organization, locked.environment)
    successor, secret = _api_key_make(
        tenant, locked.name, locked.scopes, locked.expires_at, created_by
    )
    if overlap > datetime.timedelta(0):
        ends = timezone.now() + overlap
        locked.expires_at = min(ends, locked.expires_at) if locked.expires_at else ends
        locked.save(update_fields=["expires_at"])
    else:
        _api_key_end(locked)
    _key_audit(locked, created_by, "api_key.rolled", f"{locked.name} → {successor.id}")
    return successor, secret


@transaction.atomic
def member_create(
    *, organization: Organization, email: str, password: str, role: str = Membership.Role.REVIEWER
) -> Membership:
    """A member with that role. A user with a known email joins and keeps the password."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password)
    membership, _ = Membership.objects.update_or_create(
        user=user, organization=organization, defaults={"role": role}
    )
    return membership


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What ``bootstrap`` made. The secrets are not stored anywhere else."""

    organization: Organization
    live_key: str
    test_key: str
    staff_email: str
    staff_password: str


@transaction.atomic
def organization_bootstrap(*, name: str, staff_email: str) -> Bootstrapped:
    """An organization with a live and a test key, and an admin who is an operator too."""
    organization = Organization.objects.create(name=name)
    password = secrets.token_urlsafe(15)
    membership = member_create(
        organization=organization, email=staff_email, password=password, role=Membership.Role.ADMIN
    )
    user = membership.user
    # A known user gets a new password as well, so that the printed one works.
    user.set_password(password)
    user.is_staff = user.is_superuser = True
    user.save()
    live, test = (
        api_key_create(tenant=Tenant(organization, environment), name="Default")[1]
        for environment in (Environment.LIVE, Environment.TEST)
    )
    return Bootstrapped(organization, live, test, user.email, password)
