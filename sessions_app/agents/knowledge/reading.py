"""Reads documents in the worker: from a file to passages with vectors.

Claim, commit, read, store: neither parser nor embedder runs inside a transaction. A file that
cannot be read fails its document with a reason, and is not tried again. A parser that takes the
worker down with it is given up after a few attempts.
"""

import datetime
import logging
import random
from collections.abc import Sequence
from typing import Final

from django.db import transaction
from django.db.models import F, Q

from kallglot_site.leases import LeaseLost, WorkQueue
from sessions_app.agents.files.blocks import Unreadable
from sessions_app.agents.files.child import file_read
from sessions_app.agents.knowledge.passages import PassageText, split
from sessions_app.agents.knowledge.vectors import configured_embedder, packed
from sessions_app.agents.models import Document, DocumentFile, KnowledgeBase, Passage
from sessions_app.engines.embedding import Embedder, Vectors
from sessions_app.engines.failures import EngineError

log = logging.getLogger(__name__)

MAX_PASSAGES: Final = 50_000
"""Of one knowledge base: all of them are compared with each query."""

_BACKOFF: Final = datetime.timedelta(seconds=10)
_BATCH: Final = 500
"""Passages in one INSERT."""
MAX_AT_ONCE: Final = 500
"""Passages that get their vectors while their document is read. More would take minutes: such a
document is ready without them, and a worker's restart meanwhile is no failed attempt to read it."""


def _backoff(attempts: int) -> datetime.timedelta:
    """Doubled each time, with jitter."""
    return _BACKOFF * (1 << (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter


DOCUMENTS = WorkQueue(
    name="documents",
    model=Document,
    task="sessions_app.agents.tasks.read_documents_due",
    open=Q(status=Document.Status.PROCESSING),
    related=("knowledge_base",),
    max_attempts=3,
    backoff=_backoff,
)


def documents_read_due() -> int:
    """Read every document that is due. Returns how many were begun."""
    return DOCUMENTS.work_off(_read, _give_up)


def _give_up(document: Document, error: Exception | None) -> None:
    document_fail(document, "The file could not be read: its reader was interrupted each time.")


def _read(document: Document) -> None:
    """Read a claimed document and record how it went. Raises LeaseLost."""
    content = Document.objects.filter(pk=document.pk).values_list("file__content", flat=True)
    if (found := content.first()) is None:
        raise LeaseLost  # it was deleted meanwhile
    try:
        passages = split(file_read(bytes(found), document.format))
        _room_check(document.knowledge_base_id, len(passages))  # before they are embedded
        document_complete(document, passages, *_vectors_of(passages, document.title))
    except Unreadable as error:
        document_fail(document, str(error))


@transaction.atomic
def document_fail(document: Document, reason: str) -> None:
    """Record why a claimed document cannot be read. Raises LeaseLost."""
    DOCUMENTS.finish(document, status=Document.Status.FAILED, error=reason[:500], attempts=0)
    DocumentFile.objects.filter(document=document).delete()


@transaction.atomic
def document_complete(
    document: Document, passages: Sequence[PassageText], embedder: str, vectors: Vectors | None
) -> None:
    """Store the passages of a claimed document.

    Raises LeaseLost: another worker has it. Raises Unreadable: other documents have filled the base
    meanwhile.
    """
    base_id = document.knowledge_base_id
    # First, because it may take seconds: uploads to the base wait for the lock that comes next.
    Passage.objects.bulk_create(
        (
            Passage(
                knowledge_base_id=base_id,
                document=document,
                position=position,
                heading=passage.heading,
                text=passage.text,
                vector=None if vectors is None else packed(vectors[position]),
            )
            for position, passage in enumerate(passages)
        ),
        batch_size=_BATCH,
    )
    # Locked before the document, in the same order as deleting either does.
    _base_changed(base_id)
    _room_check(base_id, 0)
    DOCUMENTS.finish(
        document,
        status=Document.Status.READY,
        error=None,
        passage_count=len(passages),
        embedder=embedder,
        attempts=0,
    )
    DocumentFile.objects.filter(document=document).delete()


def _room_check(base_id: str, more: int) -> None:
    """Raises Unreadable: with so many passages more the base would have too many."""
    if Passage.objects.filter(knowledge_base_id=base_id).count() + more > MAX_PASSAGES:
        raise Unreadable(
            f"The knowledge base would have more than {MAX_PASSAGES:,} passages: use another one."
        )


def _base_changed(base_id: str) -> None:
    """Count a change of the base. Holds its row's lock until the commit. Raises LeaseLost."""
    if not KnowledgeBase.objects.filter(pk=base_id).update(version=F("version") + 1):
        raise LeaseLost  # it was deleted meanwhile


# --- vectors -------------------------------------------------------------------------------------


def embedded_text(title: str, heading: str, text: str) -> str:
    """What the vector of a passage is made of: its words, after what they are about."""
    return "\n".join(filter(None, (title, heading, text)))


def _vectors_of(passages: Sequence[PassageText], title: str) -> tuple[str, Vectors | None]:
    """The embedder's name and a vector for each passage.

    Without them while it fails, or if there are many: the document is then found by its words only,
    until ``vectors_make_due`` makes up for it.
    """
    try:
        if len(passages) > MAX_AT_ONCE or (embedder := configured_embedder()) is None:
            return "", None
        texts = [embedded_text(title, each.heading, each.text) for each in passages]
        return embedder.name, embedder.embed(texts)
    except EngineError as error:
        log.warning("a document has no vectors yet: %s", error)
        return "", None


def vectors_make_due() -> int:
    """Make the vectors of documents that have none of the configured embedder. Returns how many
    documents were begun.

    They are long, or were read while it failed or before it was configured. Does nothing while it
    fails.
    """
    try:
        if (embedder := configured_embedder()) is None:
            return 0
        queue = _without_vectors(embedder.name)
        if not queue.rows_due().exists():
            return 0
        embedder.embed(["ready?"])
    except EngineError as error:
        log.warning("documents wait for their vectors: %s", error)
        return 0
    return queue.work_off(lambda document: _embed(document, embedder, queue), _never)


def _without_vectors(embedder: str) -> WorkQueue[Document]:
    """Documents to embed, as work. Two ranges instead of an inequality: both use the index."""
    return WorkQueue(
        name="document_vectors",
        model=Document,
        task="sessions_app.agents.tasks.make_vectors_due",
        open=Q(status=Document.Status.READY)
        & (Q(embedder__lt=embedder) | Q(embedder__gt=embedder)),
        backoff=lambda attempts: _backoff(min(attempts, 9)),
    )


def _embed(document: Document, embedder: Embedder, queue: WorkQueue[Document]) -> None:
    """Make the vectors of a claimed document. Raises LeaseLost, EngineError."""
    rows = list(document.passages.order_by("position").values_list("pk", "heading", "text"))
    texts = [embedded_text(document.title, heading, text) for _, heading, text in rows]
    vectors = embedder.embed(texts)
    with transaction.atomic():
        _base_changed(document.knowledge_base_id)
        queue.finish(document, embedder=embedder.name, attempts=0)
        Passage.objects.bulk_update(
            [
                Passage(pk=pk, vector=packed(vector))
                for (pk, _, _), vector in zip(rows, vectors, strict=True)
            ],
            ["vector"],
            batch_size=_BATCH,
        )


def _never(document: Document, error: Exception | None) -> None:
    """Documents are not given up: they are found by their words meanwhile."""
