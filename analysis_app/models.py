"""Analyses of calls, and what an organization wants analyzed."""

from typing import Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField
from kallglot_site.leases import LeasedRow
from sessions_app.models import Session

# Not ``status__in``: SQLite uses a partial index only if it can compare value by value.
TO_DO: Final = Q(status="queued") | Q(status="processing")
"""Runs that have no result yet."""


class Analysis(LeasedRow):
    """One run of an analyzer over one session. The row is the work: a worker leases it.

    Due when its session's transcript is complete and ``due_at`` has come. Only the worker that has
    the lease may write the result.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        COMPLETE = "complete"
        FAILED = "failed"

    id = IdField(prefix="ana")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="analyses")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    analyses = models.JSONField(help_text="The requested types.")
    language = models.CharField(max_length=16, default="en")
    custom_prompts = models.JSONField(default=dict, blank=True)
    webhook_url = models.CharField(max_length=2048, blank=True)
    is_automatic = models.BooleanField(default=False)

    engine = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=500, null=True, blank=True)
    results = models.JSONField(default=dict)
    lease = models.CharField(max_length=40, blank=True, db_column="claim")
    # Only workers of earlier versions write this. Until it has passed, such a worker holds the row.
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    estimated_completion = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "analyses"
        indexes = [
            models.Index(fields=["session", "-id"], name="analyses_by_session"),
            models.Index(fields=["organization", "environment", "-id"], name="analyses_by_tenant"),
            models.Index(
                fields=["due_at"],
                condition=TO_DO,
                name="analyses_to_do",
            ),
            models.Index(
                fields=["engine", "-id"],
                condition=Q(status="complete"),
                name="analyses_by_engine",
            ),
            models.Index(
                fields=["completed_at"], condition=Q(status="failed"), name="analyses_failed"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class AnalysisPolicy(models.Model):
    """What an organization wants for every call: automatic analyses and its compliance checks."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, related_name="analysis_policy"
    )
    automatic = models.JSONField(default=list, blank=True, help_text="Types made of every call.")
    checks = models.JSONField(
        default=list, blank=True, help_text="Compliance checks; empty: the default set."
    )

    class Meta:
        verbose_name_plural = "analysis policies"

    def __str__(self) -> str:
        return f"Analysis policy of {self.organization}"
