"""Organizations with their plan, members, API keys, invitations and audit log."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from kallglot_site.api.fields import IdField


class Environment(models.TextChoices):
    LIVE = "live"
    TEST = "test"


class Scope(models.TextChoices):
    SESSIONS_READ = "sessions:read"
    SESSIONS_WRITE = "sessions:write"
    RECORDINGS_READ = "recordings:read"
    ANALYSIS_READ = "analysis:read"
    ANALYSIS_WRITE = "analysis:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"


class ListenIn(models.TextChoices):
    """Which members of an organization may listen in on live calls."""

    NOBODY = "nobody", "Nobody"
    ADMINS = "admins", "Admins"
    MEMBERS = "members", "Admins and reviewers"


class UserManager(BaseUserManager["User"]):
    """Users are identified by their email, compared without case."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username or "")

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class User(AbstractUser):
    """A person who can sign in. The memberships decide what the person may see."""

    username = None  # type: ignore[assignment]  # Django's way to drop an inherited field
    email = models.EmailField("email address", unique=True)
    session_stamp = models.CharField(max_length=32, blank=True, editable=False, default="")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # another manager

    def __str__(self) -> str:
        return self.email

    # Django ends a session when this hash changes. The stamp changes with the second factor:
    # earlier sessions were signed in without it.
    def get_session_auth_hash(self) -> str:
        return super().get_session_auth_hash() + self.session_stamp

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for fallback in super().get_session_auth_fallback_hash():
            yield fallback + self.session_stamp


class TwoFactor(models.Model):
    """A person's second factor: the secret of the authenticator app. No row while it is off."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="two_factor")
    sealed_secret = models.BinaryField(editable=False)
    enabled_at = models.DateTimeField(default=timezone.now, editable=False)
    last_step = models.BigIntegerField(help_text="Time step of the last code: none works twice.")
    failures = models.PositiveIntegerField(default=0, help_text="Wrong codes in a row.")
    locked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "two-factor"

    def __str__(self) -> str:
        return f"two-factor of {self.user}"


class RecoveryCode(models.Model):
    """Replaces a code of the app, once: it is deleted when used. Only the hash is stored."""

    two_factor = models.ForeignKey(
        TwoFactor, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    code_hash = models.CharField(max_length=64, editable=False)

    def __str__(self) -> str:
        return f"recovery code of {self.two_factor.user}"


class Organization(models.Model):
    """A customer. Operators set the limits of its plan."""

    id = IdField(prefix="org")
    name = models.CharField(max_length=200)
    requests_per_minute = models.PositiveIntegerField(
        default=3000, help_text="Per API key and group of endpoints."
    )
    concurrent_sessions = models.PositiveIntegerField(
        default=200, help_text="Created or active at once, in each environment."
    )
    listen_in = models.CharField(
        max_length=10,
        choices=ListenIn,
        default=ListenIn.ADMINS,
        help_text="Who may listen in on running calls.",
    )
    suspended_at = models.DateTimeField(null=True, blank=True)
    requires_two_factor = models.BooleanField(
        default=False, help_text="Members see its pages only with a second factor."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class Membership(models.Model):
    class Role(models.TextChoices):
        REVIEWER = "reviewer", "Reviewer"
        ADMIN = "admin", "Admin"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=Role, default=Role.REVIEWER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="one_membership_each")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.role})"

    @property
    def is_admin(self) -> bool:
        return self.role == self.Role.ADMIN

    @property
    def may_listen_in(self) -> bool:
        """Whether the member may listen in on live calls."""
        allowed = self.organization.listen_in
        return allowed == ListenIn.MEMBERS or (allowed == ListenIn.ADMINS and self.is_admin)


class ApiKey(models.Model):
    """A program's credential. Only the hash is stored. ``prefix`` finds the key and names it."""

    id = IdField(prefix="key")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="api_keys"
    )
    environment = models.CharField(max_length=4, choices=Environment)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=24, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="api_keys_by_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Invitation(models.Model):
    """An invitation link for one person. It is shown once: only the token's hash is stored."""

    id = IdField(prefix="inv")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="invitations"
    )
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Membership.Role)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.email} to {self.organization}"

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.expires_at > timezone.now()


class AuditEntry(models.Model):
    """Who changed what. Written in the transaction of the change, and never changed itself.

    The actor is a person, an API key, or neither: then it was an operator at the command line.
    """

    id = IdField(prefix="aud")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="audit_entries"
    )
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_email = models.EmailField(blank=True, help_text="Kept when the account is deleted.")
    actor_key = models.ForeignKey(
        ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    action = models.CharField(max_length=64, help_text="Such as api_key.created.")
    target = models.CharField(max_length=200, blank=True, help_text="The object's id or name.")
    detail = models.CharField(max_length=500, blank=True, help_text="In words; never a secret.")
    environment = models.CharField(max_length=4, choices=Environment, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["organization", "-id"], name="audit_by_organization")]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.target}"

    @property
    def actor_name(self) -> str:
        """An email, an API key's name and prefix, or "operator"."""
        if self.actor_key is not None:
            return f"API key {self.actor_key}"
        return self.actor_email or "operator"
