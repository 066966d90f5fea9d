"""Database rows for tests, as the services write them."""

import datetime
import hashlib
import io
from typing import Any, Protocol, TypeVar, cast

from django.utils import timezone
from factory.declarations import LazyAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.accounts.tenancy import Tenant
from recordings_app.media import storage
from recordings_app.models import Recording, RecordingFile
from sessions_app.agents import services as agents
from sessions_app.agents.files.plain import read_md
from sessions_app.agents.knowledge.passages import split
from sessions_app.agents.knowledge.reading import DOCUMENTS, document_complete
from sessions_app.agents.models import Document, KnowledgeBase
from sessions_app.models import Segment, Session

Row = TypeVar("Row")


class Factory(Protocol[Row]):
    """A factory class for the type checker: calling it gives a row, not a factory."""

    def __call__(self, **values: Any) -> Row: ...
    def create(self, **values: Any) -> Row: ...
    def build(self, **values: Any) -> Row: ...
    def create_batch(self, size: int, **values: Any) -> list[Row]: ...


def rows(factory: type[DjangoModelFactory[Row]]) -> Factory[Row]:
    return cast("Factory[Row]", factory)


class _Organization(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = Sequence(lambda n: f"Organization {n}")


OrganizationFactory = rows(_Organization)


class _Session(DjangoModelFactory[Session]):
    class Meta:
        model = Session

    organization = SubFactory(_Organization)
    environment = Environment.LIVE
    mode = Session.Mode.TRANSCRIPTION


SessionFactory = rows(_Session)


class _Segment(DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    session: Any = SubFactory(_Session)
    sequence = Sequence(lambda n: n + 1)
    speaker = "customer"
    language = "en"
    text = "Hello, I have a question about my order."
    start_time = LazyAttribute(lambda segment: (segment.sequence - 1) * 4.0)
    end_time = LazyAttribute(lambda segment: segment.start_time + 3.0)
    confidence = 0.9


SegmentFactory = rows(_Segment)


def recording_ready(tenant: Tenant, content: bytes = b"audio" * 1000, **values: Any) -> Recording:
    """A recording of an ended session in ``tenant``, with ``content`` as its file."""
    session = SessionFactory.create(
        organization=tenant.organization,
        environment=tenant.environment,
        status=Session.Status.ENDED,
        recording_enabled=True,
    )
    recording = Recording.objects.create(
        session=session,
        **tenant.filters,
        **{
            "channel": "mixed",
            "status": Recording.Status.READY,
            "format": "mp3",
            "size": len(content),
            "duration": 3.0,
            "expires_at": timezone.now() + datetime.timedelta(days=30),
            **values,
        },
    )
    name = storage.object_name(tenant.organization.id, session.id, recording.id, recording.format)
    encrypted = storage.store(name, io.BytesIO(content), content_type="audio/mpeg")
    recording.files.create(
        format=recording.format,
        sample_rate=recording.sample_rate,
        status=RecordingFile.Status.READY,
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        encrypted=encrypted,
    )
    return recording


def document_ready(
    tenant: Tenant,
    text: str = "Orders arrive within three working days.",
    title: str = "Delivery",
    base: KnowledgeBase | None = None,
) -> tuple[KnowledgeBase, Document]:
    """A document that was read, without vectors, and its knowledge base in ``tenant``."""
    base = base or agents.knowledge_base_create(tenant=tenant, name="Help pages")
    content = text.encode()
    made = agents.document_create(base=base, title=title, format="md", content=content)
    claimed = DOCUMENTS.claim(made.id)
    assert claimed is not None
    document_complete(claimed, split(read_md(content)), "", None)
    made.refresh_from_db()
    return base, made
