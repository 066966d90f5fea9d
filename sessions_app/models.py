"""Sessions, their transcripts' segments, and their tracks."""

from typing import Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField
from kallglot_site.leases import LeasedRow

# Not ``status__in``: SQLite uses a partial index only if it can compare value by value.
TO_TRANSLATE: Final = Q(status="queued") | Q(status="processing")
"""Translations of whole transcripts that are not done yet."""


class Session(models.Model):
    """One call. Its timeline begins at ``started_at``, when its first audio arrived."""

    class Status(models.TextChoices):
        CREATED = "created"
        ACTIVE = "active"
        ENDED = "ended"

    class Mode(models.TextChoices):
        TRANSCRIPTION = "transcription"
        BIDIRECTIONAL_TRANSLATION = "bidirectional_translation"
        ASSISTIVE_TRANSLATION = "assistive_translation"
        AI_AGENT = "ai_agent"
        HELP_CHAT_VOICE = "help_chat_voice"

    class EndReason(models.TextChoices):
        COMPLETED = "completed"
        CUSTOMER_HANGUP = "customer_hangup"
        AGENT_HANGUP = "agent_hangup"
        ERROR = "error"
        TIMEOUT = "timeout"

    class TranscriptStatus(models.TextChoices):
        IN_PROGRESS = "in_progress"
        COMPLETE = "complete"

    class Channels(models.TextChoices):
        MIXED = "mixed"
        DUAL = "dual"

    id = IdField(prefix="sess")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    status = models.CharField(max_length=10, choices=Status, default=Status.CREATED)
    mode = models.CharField(max_length=32, choices=Mode)
    source_language = models.CharField(max_length=16, null=True, blank=True)
    target_language = models.CharField(max_length=16, null=True, blank=True)

    provider_type = models.CharField(max_length=32, default="websocket")
    provider_phone_number = models.CharField(max_length=32, null=True, blank=True)
    provider_call_sid = models.CharField(max_length=255, null=True, blank=True)
    provider_status = models.CharField(max_length=16, default="pending")

    recording_enabled = models.BooleanField(default=False)
    recording_channels = models.CharField(max_length=8, choices=Channels, default=Channels.MIXED)
    recording_paused = models.BooleanField(default=False)
    partials = models.BooleanField(default=True)
    vocabulary = models.JSONField(default=list)
    # Servers of earlier versions insert rows without this column.
    languages = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="What detection may choose among; empty: all.",
    )
    metadata = models.JSONField(default=dict)

    # Of the translation. Servers of earlier versions insert rows without these columns.
    barge_in = models.BooleanField(default=True, db_default=True)
    original_volume = models.FloatField(
        default=0.0, db_default=0.0, help_text="0 to 1: how loud the other party's own voice is."
    )
    agent_voice = models.CharField(max_length=64, null=True, blank=True)
    customer_voice = models.CharField(max_length=64, null=True, blank=True)
    glossary = models.JSONField(default=dict, db_default={}, blank=True)
    subtitles = models.BooleanField(default=True, db_default=True)

    duration = models.FloatField(default=0.0, help_text="End of the latest audio, in seconds.")
    word_count = models.PositiveIntegerField(default=0)
    transcript_status = models.CharField(
        max_length=12, choices=TranscriptStatus, default=TranscriptStatus.IN_PROGRESS
    )
    segment_count = models.PositiveIntegerField(
        default=0, help_text="The sequence number of the latest segment."
    )
    translation_count = models.PositiveIntegerField(
        default=0, db_default=0, help_text="The sequence number of the latest translation."
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=EndReason, null=True, blank=True)
    last_audio_at = models.DateTimeField(null=True, blank=True)

    # Results of other apps, stored here so that lists can be filtered by them.
    sentiment = models.CharField(max_length=10, null=True, blank=True, editable=False)
    compliance_passed = models.BooleanField(null=True, blank=True, editable=False)
    media_zero_ms = models.BigIntegerField(
        null=True, blank=True, help_text="Timestamp of the first audio, where sent."
    )

    class Meta:
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="sessions_by_tenant"),
            models.Index(
                fields=["organization", "environment", "status", "-id"],
                name="sessions_by_tenant_status",
            ),
            models.Index(
                fields=["organization", "environment", "mode", "-id"],
                name="sessions_by_tenant_mode",
            ),
            models.Index(
                fields=["organization", "environment", "sentiment", "-id"],
                condition=Q(sentiment__isnull=False),
                name="sessions_by_tenant_sentiment",
            ),
            models.Index(
                fields=["organization", "environment", "-id"],
                condition=Q(compliance_passed=False),
                name="sessions_not_compliant",
            ),
            models.Index(
                fields=["last_audio_at"],
                condition=~Q(status="ended"),
                name="sessions_running",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(status="ended", transcript_status="in_progress"),
                name="sessions_draining",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def translates(self) -> bool:
        """Whether one party at least is spoken to in its own language."""
        return self.mode in (self.Mode.BIDIRECTIONAL_TRANSLATION, self.Mode.ASSISTIVE_TRANSLATION)

    @property
    def records_translations(self) -> bool:
        """Whether the speech that is made for a party is recorded as well."""
        return (
            self.translates
            and self.recording_enabled
            and self.recording_channels == self.Channels.DUAL
        )

    @property
    def is_ended(self) -> bool:
        return self.status == self.Status.ENDED


class Segment(models.Model):
    """One utterance of one speaker. Later its translation is added, and whether its speech to the
    listener was interrupted.

    ``sequence`` counts from 1 in commit order within the session (the counter is in the locked
    session row), so that a read of "everything after N" misses nothing. ``translated_sequence``
    counts the session's translations in the same way.
    """

    class Source(models.TextChoices):
        HUMAN = "human"
        AI = "ai"

    id = IdField(prefix="seg")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="segments")
    sequence = models.PositiveIntegerField()
    speaker = models.CharField(max_length=10)
    language = models.CharField(max_length=16)
    text = models.TextField()
    translation = models.TextField(null=True, blank=True)
    translation_language = models.CharField(max_length=16, null=True, blank=True)
    translated_sequence = models.PositiveIntegerField(null=True, blank=True)
    source = models.CharField(
        max_length=8, choices=Source, default=Source.HUMAN, db_default=Source.HUMAN
    )
    interrupted = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether the listener stopped the speech that was made of it.",
    )
    start_time = models.FloatField(help_text="Seconds on the session's timeline.")
    end_time = models.FloatField()
    confidence = models.FloatField(help_text="0 to 1, from the engine's log-probabilities.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "sequence"], name="segment_order"),
            models.UniqueConstraint(
                fields=["session", "translated_sequence"],
                condition=Q(translated_sequence__isnull=False),
                name="translation_order",
            ),
        ]
        indexes = [models.Index(fields=["session", "start_time", "id"], name="segments_by_time")]

    def __str__(self) -> str:
        return self.id


class Track(models.Model):
    """One speaker's audio in a session, and which connection may write it.

    ``generation`` grows with every claim; a write carries the generation it was claimed under, so
    a replaced owner cannot write (fencing). The owner renews ``lease_expires_at`` while it lives.

    A replaced owner still transcribes what it had received: see ``ReplacedOwner``.
    """

    id = IdField(prefix="trk")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tracks")
    speaker = models.CharField(max_length=10)
    owner = models.CharField(max_length=80, blank=True, help_text="Connection; empty: nobody.")
    generation = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    found_expired_at = models.DateTimeField(
        null=True, blank=True, help_text="When a sweep found the lease expired."
    )
    sealed_at = models.DateTimeField(null=True, blank=True)
    position = models.FloatField(default=0.0, help_text="End of its audio so far, in seconds.")
    language = models.CharField(max_length=16, null=True, blank=True)
    pause_applied = models.BooleanField(
        default=False, help_text="Whether the owner has applied the session's recording pause."
    )
    muted = models.BooleanField(default=False)
    transcription_paused = models.BooleanField(default=False)
    told_sequence = models.PositiveIntegerField(
        null=True, blank=True, help_text="The last segment that the speaker's client has for sure."
    )
    told_translation = models.PositiveIntegerField(
        null=True, blank=True, help_text="The same for translations (`translated_sequence`)."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "speaker"], name="one_track_per_speaker")
        ]
        # Few tracks have an owner at any time, and a heartbeat changes nothing of this index.
        indexes = [
            models.Index(fields=["session"], condition=~Q(owner=""), name="tracks_with_an_owner")
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.speaker}"


class ReplacedOwner(models.Model):
    """An owner of a track that another has replaced, and that may still write segments of what it
    had received. It renews its lease like the current owner, and is deleted when it has finished.
    """

    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="replaced_owners")
    generation = models.PositiveIntegerField(help_text="Of the claim that was replaced.")
    lease_expires_at = models.DateTimeField()
    found_expired_at = models.DateTimeField(
        null=True, blank=True, help_text="When a sweep found the lease expired."
    )
    handed_over = models.BooleanField(
        default=False, help_text="Whether the owner has noted where its audio ends."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["track", "generation"], name="one_row_per_replaced_owner"
            )
        ]

    def __str__(self) -> str:
        return f"{self.track_id} {self.generation}"


class TranscriptTranslation(LeasedRow):
    """The transcript of an ended session in a further language. The row is the work: a worker
    leases it once the transcript is complete, and stores each translated segment.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        COMPLETE = "complete"
        FAILED = "failed"

    id = IdField(prefix="trn")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="translations")
    language = models.CharField(max_length=16, help_text="ISO 639-1, without a region.")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    error = models.CharField(max_length=500, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session", "language"], name="one_translation_per_language"
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=TO_TRANSLATE, name="translations_to_do")
        ]

    @property
    def is_complete(self) -> bool:
        return self.status == self.Status.COMPLETE

    def __str__(self) -> str:
        return self.id


class TranslatedSegment(models.Model):
    """One segment of a ``TranscriptTranslation``. ``text`` None: no engine can translate it."""

    translation = models.ForeignKey(
        TranscriptTranslation, on_delete=models.CASCADE, related_name="segments"
    )
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["translation", "segment"], name="one_text_per_translated_segment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.translation_id} {self.segment_id}"
