"""Documents as leased work: attempts, retries, and vectors that come later."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kallglot_site.leases import LeaseLost
from sessions_app.agents import services
from sessions_app.agents.files.child import file_read
from sessions_app.agents.knowledge import reading
from sessions_app.agents.knowledge.reading import DOCUMENTS, documents_read_due, vectors_make_due
from sessions_app.agents.models import Document, DocumentFile, KnowledgeBase, Passage
from sessions_app.engines.failures import EngineMisconfigured, EngineUnavailable
from tests.fakes.embedders import FakeEmbedder


@pytest.fixture
def base(cast) -> KnowledgeBase:
    return services.knowledge_base_create(tenant=cast.tenant, name="Help pages")


def added(base: KnowledgeBase, content: bytes = b"Orders arrive soon.") -> Document:
    return services.document_create(base=base, title="Title", format="md", content=content)


def make_due() -> None:
    Document.objects.update(due_at=timezone.now())


@pytest.mark.parametrize(
    ("content", "status"), [(b"Orders arrive soon.", "ready"), (b"\xff\xfe\x00", "failed")]
)
def test_the_bytes_of_a_document_are_kept_until_it_is_read(base, content, status):
    document = added(base, content)
    assert bytes(DocumentFile.objects.get().content) == content

    documents_read_due()

    document.refresh_from_db()
    assert document.status == status
    assert not DocumentFile.objects.exists()


def test_a_document_of_a_dead_worker_is_read_by_another(base):
    document = added(base)
    dead = DOCUMENTS.claim(document.id)
    assert dead is not None
    assert documents_read_due() == 0  # leased
    make_due()

    assert documents_read_due() == 1

    document.refresh_from_db()
    assert document.status == "ready"
    with pytest.raises(LeaseLost):
        reading.document_complete(dead, [], "", None)
    assert Passage.objects.count() == 1


def test_a_document_that_kills_its_worker_each_time_is_given_up(base):
    document = added(base)
    for _ in range(3):
        assert DOCUMENTS.claim(document.id)
        make_due()

    documents_read_due()

    document.refresh_from_db()
    assert document.status == "failed"
    assert "interrupted" in str(document.error)
    assert documents_read_due() == 0


def test_a_defect_of_ours_is_tried_again_and_then_given_up(base, monkeypatch):
    def broken(*_):
        raise RuntimeError("spoken words")

    monkeypatch.setattr(reading, "file_read", broken)
    document = added(base)
    for attempt in range(1, 4):
        documents_read_due()
        document.refresh_from_db()
        assert document.attempts == attempt or document.status == "failed"
        make_due()

    assert document.status == "failed"
    assert "spoken" not in str(document.error)


def test_a_document_deleted_while_it_is_read_leaves_nothing(base, monkeypatch):
    document = added(base)
    read = file_read

    def meanwhile(*arguments):
        services.document_delete(document=document)
        return read(*arguments)

    monkeypatch.setattr(reading, "file_read", meanwhile)
    documents_read_due()

    assert not Passage.objects.exists()


def test_a_base_deleted_while_a_document_is_read_leaves_nothing(base, monkeypatch):
    added(base)
    read = file_read

    def meanwhile(*arguments):
        services.knowledge_base_delete(base=base)
        return read(*arguments)

    monkeypatch.setattr(reading, "file_read", meanwhile)
    documents_read_due()

    assert not Passage.objects.exists()
    assert not Document.objects.exists()


def test_a_full_base_refuses_more_passages_before_they_are_embedded(base, monkeypatch, embedder):
    monkeypatch.setattr(reading, "MAX_PASSAGES", 1)
    first, second = added(base), added(base)
    documents_read_due()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("ready", "failed")
    assert "use another one" in str(second.error)
    assert len(embedder.texts) == 1


def test_a_base_that_another_worker_fills_meanwhile_refuses_more(base, monkeypatch, embedder):
    document = added(base)
    monkeypatch.setattr(
        reading,
        "_vectors_of",
        lambda *_: monkeypatch.setattr(reading, "MAX_PASSAGES", 0) or ("", None),
    )
    documents_read_due()
    document.refresh_from_db()
    assert document.status == "failed"
    assert not Passage.objects.exists()


def test_uploads_do_not_wait_while_passages_are_stored(base):
    """The base's row is locked after the passages are inserted."""
    added(base)
    with CaptureQueriesContext(connection) as captured:
        documents_read_due()
    statements = [query["sql"] for query in captured.captured_queries]
    (inserted,) = (at for at, sql in enumerate(statements) if 'INTO "agents_passage"' in sql)
    (locked,) = (at for at, sql in enumerate(statements) if 'UPDATE "agents_knowledgebase"' in sql)
    assert inserted < locked


def test_vectors_are_made_of_title_heading_and_text(base, embedder):
    added(base, b"# Delivery\n\nOrders arrive soon.")
    documents_read_due()
    assert embedder.texts == ["Title\nDelivery\nOrders arrive soon."]
    assert len(Passage.objects.get().vector or b"") == 4 * 4


def test_documents_get_their_vectors_when_the_embedder_is_back(base, embedder):
    embedder.error = EngineUnavailable("down")
    document = added(base)
    documents_read_due()
    document.refresh_from_db()
    assert (document.status, document.embedder) == ("ready", "")
    assert Passage.objects.get().vector is None
    version = KnowledgeBase.objects.get().version
    assert vectors_make_due() == 0

    embedder.error = None
    make_due()
    assert vectors_make_due() == 1

    document.refresh_from_db()
    assert (document.embedder, document.attempts, document.lease) == ("fake", 0, "")
    assert Passage.objects.get().vector is not None
    assert KnowledgeBase.objects.get().version > version
    make_due()
    assert vectors_make_due() == 0


def test_a_long_document_is_ready_before_its_vectors_are_made(base, embedder, monkeypatch):
    monkeypatch.setattr(reading, "MAX_AT_ONCE", 1)
    document = added(base, b"# One\n\nFirst.\n\n# Two\n\nSecond.")
    documents_read_due()
    document.refresh_from_db()
    assert (document.status, document.passage_count, embedder.texts) == ("ready", 2, [])

    make_due()
    assert vectors_make_due() == 1

    assert Document.objects.get().embedder == "fake"
    assert not Passage.objects.filter(vector=None).exists()


def test_another_embedder_makes_the_vectors_anew(base, embedder, monkeypatch):
    added(base)
    documents_read_due()
    other = FakeEmbedder("orders", name="other")
    monkeypatch.setattr(reading, "configured_embedder", lambda: other)
    make_due()

    assert vectors_make_due() == 1

    assert Document.objects.get().embedder == "other"
    assert len(Passage.objects.get().vector or b"") == 4 * 2


def test_one_document_that_cannot_be_embedded_waits_and_stops_no_other(base, embedder):
    embedder.error = EngineUnavailable("down")
    bad, good = added(base, b"bad text"), added(base, b"good text")
    documents_read_due()
    embedder.error = None
    embed = embedder._embed

    def refusing(texts, timeout):
        if any("bad" in text for text in texts):
            raise EngineUnavailable("too long")
        return embed(texts, timeout)

    embedder._embed = refusing
    make_due()
    vectors_make_due()

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.embedder, good.embedder) == ("", "fake")
    assert bad.due_at > timezone.now()
    assert bad.status == "ready"


def test_a_misconfigured_embedder_stops_no_document(base, monkeypatch):
    def misconfigured():
        raise EngineMisconfigured("no weights")

    monkeypatch.setattr(reading, "configured_embedder", misconfigured)
    document = added(base)
    documents_read_due()
    document.refresh_from_db()
    assert document.status == "ready"
    assert vectors_make_due() == 0
