"""Finding passages by words and by meaning. Runs on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from sessions_app.agents import services
from sessions_app.agents.knowledge import search, vectors
from sessions_app.agents.knowledge.ranking import fused
from sessions_app.agents.knowledge.reading import documents_read_due
from sessions_app.agents.knowledge.vectors import MATRICES
from sessions_app.agents.knowledge.word_index import install, query_words, rank_by_words
from sessions_app.agents.models import KnowledgeBase, Passage
from sessions_app.engines.failures import EngineUnavailable
from tests.factories import document_ready

FAQ = """# Help

## How long does delivery take?

Orders arrive within three working days. Abroad it takes five.

## How do I return an item?

Send it back within thirty days, and you get your money back.

## Who is Müller?

Frau Müller leads the Bestellungen desk, at extension 4711.
"""


@pytest.fixture
def base(cast) -> KnowledgeBase:
    return document_ready(cast.tenant, FAQ, "FAQ")[0]


def headings(base: KnowledgeBase, query: str, limit: int = 5) -> list[str]:
    return [found.heading.removeprefix("Help > ") for found in search(base, query, limit)]


DELIVERY, RETURN, PERSON = (
    "How long does delivery take?",
    "How do I return an item?",
    "Who is Müller?",
)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("thirty", RETURN),
        ("THIRTY days", RETURN),
        ("I want to know when my order arrives, please", DELIVERY),  # other endings
        ("bestellung", PERSON),
        ("Müller", PERSON),
        ("extension 4711?", PERSON),
        ('"money" AND (back) OR NOT *', RETURN),  # no operators
        ("it's the o'clock' -- \\ : {} ^ NEAR(money)", RETURN),
    ],
)
def test_the_passage_with_the_rarest_words_is_first(base, query, first):
    assert headings(base, query)[0] == first


@pytest.mark.parametrize("query", ["", " ", "?!", "'", "_", "\u200b", "zebra", "NOT", '""', "🙂"])
def test_queries_without_a_match_find_nothing(base, query):
    assert search(base, query) == []


def test_a_heading_is_searched_too(base):
    assert headings(base, "item", 1) == [RETURN]


def test_the_limit_holds_and_what_is_found_says_where_it_is_from(base):
    (found,) = search(base, "money days", 1)

    assert found.document_id == base.documents.get().id
    assert (found.title, found.heading) == ("FAQ", f"Help > {RETURN}")
    assert found.text.startswith("Send it back")
    assert (found.score, found.similarity, found.by_words) == (1.0, None, True)
    assert Passage.objects.get(pk=found.passage_id).text == found.text


def test_a_search_stays_in_its_base(base, cast):
    other, _ = document_ready(cast.tenant, FAQ, "Other")
    foreign, _ = document_ready(cast.other_tenant, FAQ, "Foreign")

    for each in (base, other, foreign):
        found = search(each, "delivery money Müller")
        assert len(found) == 3
        assert {one.document_id for one in found} == {each.documents.get().id}


def test_frequent_words_count_less(cast):
    base, _ = document_ready(cast.tenant, "The parcel is the parcel of the parcel.", "1")
    for number in range(2, 6):
        document_ready(cast.tenant, f"The parcel number {number} is here.", str(number), base)
    document_ready(cast.tenant, "A zebra.", "zebra", base)

    assert search(base, "the parcel zebra")[0].title == "zebra"


def test_long_and_strange_queries_are_bounded(base):
    assert len(query_words(" ".join(f"word{number}" for number in range(500)))) == 24
    search(base, "x" * 1000)
    search(base, "é" * 1000)
    search(base, "money " * 166)


def test_deleted_passages_leave_the_index(base, cast):
    document_ready(cast.tenant, "The zebra.", "zebra", base)
    zebra = base.documents.get(title="zebra")
    assert search(base, "zebra")

    services.document_delete(document=zebra)

    assert search(base, "zebra") == []
    assert search(base, "money")
    services.knowledge_base_delete(base=base)
    assert rank_by_words(base, "money", 5) == []
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM passage_search")
            assert cursor.fetchone() == (0,)


def test_an_erased_organization_leaves_nothing(base, cast, embedder):
    services.agent_create(tenant=cast.tenant, name="Desk", knowledge_base_id=base.id)
    services.document_create(base=base, title="x", format="md", content=b"x")

    cast.tenant.organization.delete()

    assert not KnowledgeBase.objects.exists()
    assert not Passage.objects.exists()
    assert rank_by_words(base, "money", 5) == []
    assert search(base, "refund") == []


def test_the_index_is_made_again_where_it_is_missing(base):
    install("default")
    assert headings(base, "thirty") == [RETURN]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER passage_search_insert")
        cursor.execute("DELETE FROM passage_search")
    assert headings(base, "thirty") == []
    install("default")
    assert headings(base, "thirty") == [RETURN]


def test_postgresql_uses_the_index_of_words(base):
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL only")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM agents_passage WHERE words @@ to_tsquery('simple', 'thirty')"
        )
        assert "passages_by_words" in str(cursor.fetchall())


# --- By meaning ----------------------------------------------------------------------------------


@pytest.fixture
def embedded(cast, embedder) -> KnowledgeBase:
    """A base with vectors."""
    base = services.knowledge_base_create(tenant=cast.tenant, name="Help pages")
    services.document_create(base=base, title="FAQ", format="md", content=FAQ.encode())
    documents_read_due()
    assert base.documents.get().embedder == "fake"
    return base


def test_a_passage_is_found_without_any_of_its_words(embedded):
    (found, *_) = search(embedded, "refund")  # the text says "money back"

    assert found.heading == f"Help > {RETURN}"
    assert not found.by_words
    assert found.similarity is not None
    assert found.similarity > 0.9


def test_what_both_rankings_have_first_is_first(embedded):
    first, *rest = search(embedded, "when does my parcel arrive")

    assert first.heading == f"Help > {DELIVERY}"
    assert first.score == 1.0
    assert all(each.score < 1 for each in rest)
    scores = [each.score for each in (first, *rest)]
    assert scores == sorted(scores, reverse=True)


def test_ranks_are_joined_and_not_scores():
    """61 / (60 + place), the mean of both rankings."""
    scores = fused([1, 2], [2, 3])
    assert scores == pytest.approx({1: 0.5, 2: (61 / 62 + 1) / 2, 3: 61 / 62 / 2})
    assert max(scores, key=scores.__getitem__) == 2


def test_new_and_deleted_documents_are_noticed(embedded, cast):
    assert len(search(embedded, "refund", 20)) == 3
    services.document_create(base=embedded, title="New", format="md", content=b"Cash money back.")
    documents_read_due()
    assert len(search(embedded, "refund", 20)) == 4

    services.document_delete(document=embedded.documents.get(title="FAQ"))

    assert [each.title for each in search(embedded, "refund", 20)] == ["New"]


def test_an_unchanged_base_is_loaded_once(embedded, django_assert_num_queries):
    search(embedded, "refund")
    with django_assert_num_queries(3):  # words, version, and the passages found
        search(embedded, "refund")


@pytest.mark.django_db(transaction=True)
def test_searches_at_the_same_time_load_a_base_once(embedded, monkeypatch):
    loads: list[str] = []

    def slow(base: KnowledgeBase, *more: Any) -> Any:
        loads.append(base.id)
        time.sleep(0.2)
        return load(base, *more)

    def searched(_: int) -> int:
        try:
            return len(search(embedded, "refund"))
        finally:
            connection.close()

    load = vectors._load
    monkeypatch.setattr(vectors, "_load", slow)
    MATRICES.clear()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(searched, range(4))) == {3}
    assert loads == [embedded.id]


def test_words_decide_while_the_embedder_fails(embedded, embedder, caplog):
    embedder.error = EngineUnavailable("down")

    assert headings(embedded, "thirty") == [RETURN]
    assert "searched by words only: down" in caplog.text
    assert "thirty" not in caplog.text


def test_memory_for_vectors_is_bounded(embedded, monkeypatch, cast, embedder):
    monkeypatch.setattr("sessions_app.agents.knowledge.vectors.MAX_MEMORY", 1)
    other = services.knowledge_base_create(tenant=cast.tenant, name="Other")
    for base in (embedded, other, embedded):
        search(base, "refund")
        assert len(MATRICES._kept) == 1
    assert search(embedded, "refund")
