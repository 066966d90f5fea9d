"""Tables of the v1 API itself: idempotency keys and request counts."""

from django.db import models
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization


class IdempotentResponse(models.Model):
    """The stored answer to a request with an Idempotency-Key, written in the action's transaction.

    ``body`` is encrypted because answers contain stream tokens and webhook secrets.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField(help_text="Empty once the object was erased.")
    about = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_index=True,
        help_text="The session's or object's id.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "environment", "key"], name="one_answer_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.environment} {self.status}"


class RequestCount(models.Model):
    """Requests of one API key on one group of endpoints in one window (see ``throttle_stores``).

    Only used with PostgreSQL and without Redis.
    """

    name = models.CharField(max_length=120, primary_key=True)
    window = models.BigIntegerField(help_text="Start, in Unix seconds.", db_index=True)
    used = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.name}: {self.used}"
