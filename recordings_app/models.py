"""Recordings of sessions, the files they consist of, and the work of making and deleting them."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField
from kallglot_site.leases import LeasedRow
from sessions_app.models import Session


def default_retention_days() -> int:
    return settings.RECORDING_RETENTION_DAYS


class RecordingPolicy(models.Model):
    """How long an organization keeps its recordings."""

    organization = models.OneToOneField(
        Organization,
        on_delete=models.CASCADE,
        related_name="recording_policy",
        primary_key=True,
    )
    retention_days = models.PositiveIntegerField(
        default=default_retention_days, validators=[MinValueValidator(1)]
    )

    class Meta:
        verbose_name_plural = "recording policies"

    def __str__(self) -> str:
        return f"{self.organization}: {self.retention_days} days"


class Recording(models.Model):
    """One channel of a recorded session. Its row outlives its audio."""

    class Channel(models.TextChoices):
        MIXED = "mixed"
        AGENT = "agent"
        CUSTOMER = "customer"
        AGENT_TRANSLATION = "agent_translation"
        CUSTOMER_TRANSLATION = "customer_translation"

    class Status(models.TextChoices):
        PROCESSING = "processing"
        READY = "ready"
        FAILED = "failed"
        DELETED = "deleted"

    id = IdField(prefix="rec")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="recordings")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    channel = models.CharField(max_length=20, choices=Channel)
    status = models.CharField(max_length=10, choices=Status, default=Status.PROCESSING)
    duration = models.FloatField(default=0.0, help_text="Seconds.")
    format = models.CharField(max_length=4)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    sample_rate = models.PositiveIntegerField(default=8000, help_text="Hz.")
    audio_channels = models.PositiveSmallIntegerField(default=1)
    peaks = models.JSONField(
        default=dict, blank=True, help_text="The waveform: loudness from 0 to 100 by speaker."
    )
    # Earlier versions insert rows without this column.
    spoken = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="Of a translation: from when to when each segment was heard, in seconds.",
    )
    failure = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "channel"], name="one_recording_per_channel")
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=~Q(status="deleted"), name="recordings_to_expire"
            ),
            models.Index(
                fields=["organization", "environment", "-id"], name="recordings_by_tenant"
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(status="processing"),
                name="recordings_processing",
            ),
            models.Index(
                fields=["created_at"], condition=Q(status="failed"), name="recordings_failed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.channel})"

    @property
    def is_past_retention(self) -> bool:
        """Whether the audio may no longer be given out, purged already or not."""
        return self.status == self.Status.DELETED or self.expires_at <= timezone.now()

    @property
    def filename(self) -> str:
        """Without its ending. Made of an id and a word from a list: safe in any header."""
        suffix = "" if self.channel == self.Channel.MIXED else f"-{self.channel}"
        return f"recording-{self.session_id}{suffix}"


class RecordingFile(LeasedRow):
    """One stored object: a recording's original, or a variant in another format or sample rate.

    A variant's row is written when it is first asked for: while ``processing``, it is work to do.
    """

    class Status(models.TextChoices):
        PROCESSING = "processing"
        READY = "ready"
        FAILED = "failed"

    id = IdField(prefix="rfl")
    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="files")
    format = models.CharField(max_length=4)
    sample_rate = models.PositiveIntegerField(help_text="Hz.")
    status = models.CharField(max_length=10, choices=Status, default=Status.PROCESSING)
    name = models.CharField(max_length=200, blank=True, help_text="Where it is in the storage.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes of audio, unencrypted.")
    sha256 = models.CharField(max_length=64, blank=True)
    encrypted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recording", "format", "sample_rate"], name="one_file_per_variant"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(status="processing"), name="recording_variants_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.recording_id} {self.format} {self.sample_rate}"


class Assembly(LeasedRow):
    """The work of turning a session's spool into its recordings.

    Written in the transaction that ends the session; due once nobody may write its tracks any more.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting for the tracks to be sealed"
        DUE = "due"
        DONE = "done"
        FAILED = "failed"

    session = models.OneToOneField(
        Session, on_delete=models.CASCADE, related_name="assembly", primary_key=True
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    waiting_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when parts of the spool have been missing."
    )
    incomplete = models.BooleanField(
        default=False, help_text="Made without parts that a lost machine may still bring back."
    )
    consumed = models.JSONField(
        default=list, blank=True, help_text="Names of the parts that went into the recordings."
    )
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "assemblies"
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(status="due"), name="recording_assemblies_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.status}"


class SpoolPart(models.Model):
    """A finished part of a spool that has been uploaded to the storage, on several machines."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="spool_parts")
    part = models.CharField(max_length=40, help_text="File name: channel, generation, number.")
    name = models.CharField(max_length=200, help_text="Where it is in the storage.")
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    is_last = models.BooleanField(help_text="Its generation wrote no more after it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "part"], name="spool_part_uploaded_once")
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.part}"


class Deletion(LeasedRow):
    """Something outside the database that is to be deleted (``recordings_app.deletions``)."""

    class Kind(models.TextChoices):
        FILE = "file", "An object in the storage"
        SPOOL = "spool", "A session's spool, on every machine that has some of it"

    kind = models.CharField(max_length=5, choices=Kind)
    name = models.CharField(max_length=200, help_text="Object name, or session id.")
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    # A default of the database: earlier versions insert rows without this column.
    lease = models.CharField(max_length=40, blank=True, db_default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "recordings_app_tombstone"
        indexes = [models.Index(fields=["kind", "due_at"], name="recording_deletions_due")]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="one_tombstone_each")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
