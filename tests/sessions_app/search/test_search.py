"""Finding sessions by what was said in them and by every filter of the list."""

import datetime

import pytest
from django.db import connection

from kallglot_site.api.ids import new_id
from sessions_app.models import Segment, Session, Track
from sessions_app.search.index import install
from sessions_app.search.sessions import Criteria, hits_in, session_find
from sessions_app.search.terms import parse
from sessions_app.services.translations import SegmentTranslation, segments_translate
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory


def call(cast: Cast, *said: str, **columns) -> Session:
    session = SessionFactory.create(organization=cast.organization, **columns)
    for number, text in enumerate(said, start=1):
        SegmentFactory.create(session=session, sequence=number, text=text)
    return session


def found(cast: Cast, typed: str = "", **criteria) -> set[str]:
    sought = Criteria(terms=parse(typed), **criteria)
    return {session.id for session in session_find(tenant=cast.tenant, criteria=sought)}


def test_a_session_is_found_by_words_phrases_and_prefixes(cast):
    refund = call(cast, "I would like a refund for my order", "The order number is twelve")
    call(cast, "Good morning")
    for typed in ("refund", "REFUND order", "ref", '"order number"', '"number is" twel'):
        assert found(cast, typed) == {refund.id}, typed
    for typed in ('"efund"', '"number order"', "refund twelve", '"ref"', "missing"):
        assert found(cast, typed) == set(), typed


def test_frequent_words_are_found_like_rare_ones(cast, monkeypatch):
    monkeypatch.setattr("sessions_app.search.index.RARE_WORD_SEGMENTS", 1)
    sessions = {call(cast, "a refund", "another refund").id for _ in range(3)}
    assert found(cast, "refund") == sessions


def test_a_translation_is_found_when_it_is_added(cast):
    session = call(cast, "Tengo una pregunta")
    assert found(cast, "question") == set()
    segment = Segment.objects.get(session=session)
    segment.translation = "I have a question"
    segment.save()
    assert found(cast, "question") == {session.id}
    assert found(cast, "pregunta question") == {session.id}


def test_the_translation_of_a_live_call_is_found_and_shown(cast):
    session = call(cast, "Tengo una pregunta")
    segment = Segment.objects.get(session=session)
    spoken = SegmentTranslation(segment.id, "en", "I have a question")
    segments_translate(session_id=session.id, translations=[spoken])
    assert found(cast, "question") == {session.id}
    [hit] = hits_in([session], parse("question"))[session.id]
    assert [piece.text for piece in hit.pieces if piece.hit] == ["question"]
    again = SegmentTranslation(segment.id, "en", "I want to ask something")
    segments_translate(session_id=session.id, translations=[again])
    assert found(cast, "question") == set()
    assert found(cast, "something") == {session.id}


def test_an_erased_session_is_not_found(cast):
    call(cast, "a secret word").delete()
    assert found(cast, "secret") == set()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM segment_search WHERE segment_search MATCH 'secret'"
            )
            assert cursor.fetchone() == (0,)


def test_words_of_other_tenants_are_never_found(cast):
    call(cast, "a rare word", environment="test")
    other = SessionFactory.create(organization=cast.other_tenant.organization)
    SegmentFactory.create(session=other, text="a rare word")
    assert found(cast, "rare") == set()


@pytest.mark.parametrize(
    "typed",
    ["'", '"', "\\", "a' OR 1=1 --", "NEAR(", "col:x", "^a", "-", "日本", "🙂 x", "%s", "a\\:*"],
)
def test_no_search_text_breaks_the_search(cast, typed):
    call(cast, "hello")
    found(cast, typed)


def test_the_first_segments_with_the_words_are_shown(cast):
    session = call(cast, "hello", "about the refund", "no", "a refund", "refund again")
    lines = hits_in([session], parse("refund"))[session.id]
    assert [hit.start_time for hit in lines] == [4.0, 12.0]
    assert [[piece.text for piece in hit.pieces if piece.hit] for hit in lines] == [["refund"]] * 2


def test_installing_repairs_an_index_that_lost_its_triggers(cast):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has triggers")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER segment_search_insert")
    session = call(cast, "unheard words")
    assert found(cast, "unheard") == set()
    install("default")
    assert found(cast, "unheard") == {session.id}
    assert call(cast, "more unheard").id in found(cast, "unheard")


def test_every_filter_works(cast):
    at = datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.UTC)
    wanted = call(
        cast,
        id=new_id("sess", at),
        created_at=at,
        status="ended",
        mode="transcription",
        source_language="es-MX",
        duration=300.0,
        sentiment="negative",
        compliance_passed=False,
        metadata={"a.b__c": "x'y", "n": "1"},
    )
    call(cast, status="active", mode="assistive_translation", duration=10.0, metadata={"n": "2"})
    day = datetime.timedelta(days=1)
    for filters in (
        {"status": "ended"},
        {"mode": "transcription"},
        {"language": "es"},
        {"created_after": at - day, "created_before": at + day},
        {"shortest": 200.0},
        {"sentiment": "negative"},
        {"compliance": "failed"},
        {"metadata": ("a.b__c", "x'y")},
        {"metadata": ("n", "1")},
    ):
        assert found(cast, **filters) == {wanted.id}, filters
    assert wanted.id not in found(cast, longest=200.0)
    assert found(cast, compliance="passed") == set()
    assert found(cast, metadata=("n", "3")) == set()


def test_a_detected_language_is_found(cast):
    session = call(cast)
    Track.objects.create(session=session, speaker="customer", language="pt")
    assert found(cast, language="pt") == {session.id}
