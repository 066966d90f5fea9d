"""Events, the endpoints that subscribe to them, and the deliveries of one to the other."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField


class EventCounter(models.Model):
    """Numbers a session's events in commit order: recording one locks this row."""

    session_id = models.CharField(max_length=40, primary_key=True)
    latest = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.session_id}: {self.latest}"


class Event(models.Model):
    """Something that happened, with the object as the API returned it then."""

    id = IdField(prefix="evt")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    type = models.CharField(max_length=64)
    session_id = models.CharField(max_length=40, null=True, blank=True)
    sequence = models.PositiveIntegerField(
        null=True, blank=True, help_text="Order within the session; empty outside of one."
    )
    data = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="When its payload was erased along with its session."
    )

    class Meta:
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="events_by_tenant"),
            models.Index(
                fields=["organization", "environment", "type", "-id"], name="events_by_tenant_type"
            ),
            models.Index(fields=["session_id", "-id"], name="events_by_session"),
            models.Index(fields=["created_at"], name="events_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class SigningSecret(models.Model):
    """An organization's own signing secret, for events sent to a URL given with a request.

    The ciphertexts are ``whsec_…`` strings under the purpose ``webhook secret``.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True, blank=True)
    previous_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "environment"], name="one_signing_secret_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.environment}"


class Endpoint(models.Model):
    """A receiver of events. Deleting keeps the row until its deliveries are purged.

    The kind ``url`` is made for a URL that came with a request (``analysis.webhook_url``): it
    subscribes to nothing, is never listed, and signs with the organization's secret.
    """

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription"
        URL = "url"

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"

    class DisabledReason(models.TextChoices):
        MANUAL = "manual", "Disabled by an admin or the API"
        GONE = "gone", "The receiver answered 410 Gone"
        FAILING = "failing", "Nothing but failures for three days"

    id = IdField(prefix="wh")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.SUBSCRIPTION)
    url = models.CharField(max_length=2048)
    events = models.JSONField(default=list)
    description = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status, default=Status.ENABLED)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason, null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    secret = models.BinaryField(null=True, blank=True)
    previous_secret = models.BinaryField(null=True, blank=True)
    previous_expires_at = models.DateTimeField(null=True, blank=True)

    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="First failure after the last success."
    )
    slowdown = models.PositiveSmallIntegerField(
        default=0, help_text="How many times its share of parallel requests was halved."
    )
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="It asked for a pause (429, 502, 503 or 504)."
    )

    class Meta:
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="endpoints_by_tenant"),
            models.Index(
                fields=["disabled_reason"],
                condition=Q(status="disabled"),
                name="endpoints_disabled",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "environment", "url"],
                condition=Q(kind="url"),
                name="one_endpoint_per_given_url",
            )
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_enabled(self) -> bool:
        return self.status == self.Status.ENABLED and self.deleted_at is None


class Delivery(models.Model):
    """One event for one endpoint. A pending one is work, due at ``next_attempt_at``.

    A dispatcher leases it (``kallglot_site.leases``): ``claim_id`` is the dispatcher, and
    ``next_attempt_at`` the end of its lease. Only that dispatcher may write the outcome.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = IdField(prefix="whd")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    session_id = models.CharField(max_length=40, null=True, blank=True)
    sequence = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts that have an answer.")
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts of the running schedule: a redelivery starts it anew."
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    claim_id = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="deliveries_by_endpoint"),
            models.Index(
                fields=["endpoint", "status", "-id"], name="deliveries_by_endpoint_status"
            ),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=Q(status="pending"),
                name="deliveries_due",
            ),
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status="pending"),
                name="deliveries_pending_by_due",
            ),
            models.Index(
                fields=["endpoint", "session_id", "sequence"],
                condition=Q(status="pending", attempts=0),
                name="deliveries_awaiting_first",
            ),
            models.Index(
                fields=["endpoint", "claim_id"],
                condition=Q(status="pending", claim_id__gt=""),
                name="deliveries_in_flight",
            ),
            models.Index(fields=["session_id", "id"], name="deliveries_by_session"),
        ]

    def __str__(self) -> str:
        return self.id


class Attempt(models.Model):
    """One request that was made, and its answer."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="history")
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    number = models.PositiveIntegerField(help_text="Counts from 1 within the delivery.")
    at = models.DateTimeField(help_text="When it began.")
    duration_ms = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=500, null=True, blank=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True, default="")
    succeeded = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_order")]
        indexes = [models.Index(fields=["endpoint", "-id"], name="attempts_by_endpoint")]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"


class DispatcherSlot(models.Model):
    """A slot for one dispatcher: as many rows as may run at once in the installation."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    owner = models.CharField(max_length=40, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True, blank=True, default=timezone.now)

    def __str__(self) -> str:
        return f"{self.number}: {self.owner or 'free'}"
