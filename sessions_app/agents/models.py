"""AI agents, and the knowledge bases in which they look things up."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.api.fields import IdField
from kallglot_site.leases import LeasedRow


class KnowledgeBase(models.Model):
    """A collection of documents. ``version`` grows with every change of what can be found."""

    id = IdField(prefix="kb")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=1000, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "environment", "-id"], name="knowledge_bases_by_tenant"
            )
        ]

    def __str__(self) -> str:
        return self.id


class Agent(models.Model):
    """How an AI answers calls. Sessions refer to one, and may override any of its fields."""

    id = IdField(prefix="agt")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    environment = models.CharField(max_length=4, choices=Environment)
    name = models.CharField(max_length=200)
    system_prompt = models.TextField(blank=True, default="")
    greeting = models.CharField(max_length=1000, null=True, blank=True)
    language = models.CharField(max_length=16, null=True, blank=True)
    voice = models.CharField(max_length=64, null=True, blank=True)
    temperature = models.FloatField(default=0.5)
    max_response_tokens = models.PositiveIntegerField(default=300)
    knowledge_base = models.ForeignKey(
        KnowledgeBase, null=True, blank=True, on_delete=models.SET_NULL, related_name="agents"
    )
    tools = models.JSONField(default=list, blank=True)
    transfer = models.JSONField(default=dict, blank=True)
    silence = models.JSONField(default=dict, blank=True)
    max_duration_s = models.PositiveIntegerField(default=1800, help_text="Seconds.")
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "environment", "-id"], name="agents_by_tenant")
        ]

    def __str__(self) -> str:
        return self.id


class Document(LeasedRow):
    """A text in a knowledge base. While it is ``processing`` it is work: see ``knowledge.reading``.

    ``embedder`` names the engine that made the vectors of its passages; empty: they have none.
    """

    class Status(models.TextChoices):
        PROCESSING = "processing"
        READY = "ready"
        FAILED = "failed"

    id = IdField(prefix="doc")
    knowledge_base = models.ForeignKey(
        KnowledgeBase, on_delete=models.CASCADE, related_name="documents"
    )
    title = models.CharField(max_length=300)
    format = models.CharField(max_length=8)
    size = models.PositiveIntegerField(help_text="Bytes of the file.")
    status = models.CharField(max_length=10, choices=Status, default=Status.PROCESSING)
    error = models.CharField(max_length=500, null=True, blank=True)
    passage_count = models.PositiveIntegerField(default=0)
    embedder = models.CharField(max_length=128, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["knowledge_base", "-id"], name="documents_by_base"),
            models.Index(
                fields=["due_at"], condition=Q(status="processing"), name="documents_to_read"
            ),
            models.Index(
                fields=["embedder", "due_at"],
                condition=Q(status="ready"),
                name="documents_by_embedder",
            ),
        ]

    def __str__(self) -> str:
        return self.id


class DocumentFile(models.Model):
    """The bytes of a document that is not read yet. They are deleted when it is, or cannot be."""

    document = models.OneToOneField(
        Document, on_delete=models.CASCADE, primary_key=True, related_name="file"
    )
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.document_id


class Passage(models.Model):
    """A part of a document of some 60 to 120 words: what a search finds.

    ``vector``: float32 numbers in the machine's byte order (little-endian everywhere we run), of
    length 1. The words are indexed by ``knowledge.word_index``, outside of Django's models.
    """

    id = models.BigAutoField(primary_key=True)
    knowledge_base = models.ForeignKey(
        KnowledgeBase, on_delete=models.CASCADE, related_name="passages"
    )
    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, related_name="passages", db_index=False
    )
    position = models.PositiveIntegerField(help_text="Counts from 0 within the document.")
    heading = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField()
    vector = models.BinaryField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="passage_order")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} #{self.position}"
