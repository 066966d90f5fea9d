"""What happened, and who was told."""

from django.db import models
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField


class EventCounter(models.Model):
    """The row whose lock numbers a session's events in commit order."""

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

    class Meta:
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="events_by_tenant"),
            models.Index(fields=["session_id", "-id"], name="events_by_session"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"
