"""A page of search results: complete with an index, bounded in time with a scan."""

import pytest
from django.db import connection
from django.test import Client

from kallglot_site.api import bounded_search
from kallglot_site.api.bounded_search import Found
from kallglot_site.api.pagination import KeysetPagination
from sessions_app.models import Session, Track
from sessions_app.search import index, pages
from sessions_app.search.pages import session_page
from sessions_app.search.sessions import Criteria
from sessions_app.search.terms import parse
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory


def calls(cast: Cast, *said: str, **columns) -> list[Session]:
    """One session for each text, the oldest first."""
    made = []
    for text in said:
        session = SessionFactory.create(organization=cast.organization, **columns)
        SegmentFactory.create(session=session, sequence=1, text=text)
        made.append(session)
    return made


def find(
    cast: Cast, typed: str = "", page: KeysetPagination | None = None, **criteria
) -> Found[Session]:
    sought = Criteria(terms=parse(typed), **criteria)
    return session_page(tenant=cast.tenant, criteria=sought, page=page or KeysetPagination(2))


@pytest.fixture
def no_time(monkeypatch):
    """No time and scans of three sessions: each page ends after the first scan."""
    monkeypatch.setattr(bounded_search, "TIME_LIMIT", 0.0)
    monkeypatch.setattr(pages, "FIRST_BATCH_SIZE", 3)
    monkeypatch.setattr(pages, "FIRST_BATCH_SIZE_FOR_WORDS", 3)


@pytest.fixture
def frequent(monkeypatch):
    """Every word counts as frequent."""
    monkeypatch.setattr(index, "RARE_WORD_SEGMENTS", 0)


def test_rare_and_frequent_words_give_the_same_pages(cast, monkeypatch):
    said = ["a refund"] * 3 + ["nothing"] * 4 + ["the refund"] * 2
    calls(cast, *said)
    calls(cast, "a refund", environment="test")

    def walk() -> list[list[str]]:
        seen, cursor = [], KeysetPagination(2)
        while True:
            found = find(cast, "refund", cursor)
            seen.append([row.id for row in found.rows])
            if not found.more:
                return seen
            cursor = KeysetPagination(2, starting_after=found.rows[-1].id)

    rare = walk()
    assert [len(page) for page in rare] == [2, 2, 1]
    monkeypatch.setattr(index, "RARE_WORD_SEGMENTS", 0)
    assert walk() == rare


@pytest.mark.usefixtures("no_time", "frequent")
def test_a_search_that_runs_out_of_time_returns_a_cursor_to_continue(cast):
    made = calls(cast, "a refund", "no", "no", "a refund", "no", "no", "no")
    first = find(cast, "refund")
    assert (first.rows, first.more, first.reached) == ([], False, made[4].id)
    second = find(cast, "refund", KeysetPagination(2, starting_after=first.reached))
    assert (second.rows, second.more, second.reached) == ([made[3]], False, made[1].id)
    third = find(cast, "refund", KeysetPagination(2, starting_after=second.reached))
    assert (third.rows, third.more, third.reached) == ([made[0]], False, None)


@pytest.mark.usefixtures("no_time", "frequent")
def test_a_search_also_continues_forward_in_time(cast):
    made = calls(cast, "no", "no", "no", "no", "a refund", "a refund", "no")
    first = find(cast, "refund", KeysetPagination(2, ending_before=made[0].id))
    assert (first.rows, first.reached) == ([], made[3].id)
    second = find(cast, "refund", KeysetPagination(2, ending_before=first.reached))
    assert (second.rows, second.more, second.reached) == ([made[5], made[4]], False, made[6].id)


def test_with_time_left_a_second_and_longer_scan_follows(cast, monkeypatch):
    monkeypatch.setattr(pages, "FIRST_BATCH_SIZE", 1)
    monkeypatch.setattr(bounded_search, "TIME_LIMIT", 60.0)
    made = calls(cast, "rare", *["no"] * 8)
    Session.objects.filter(pk=made[0].pk).update(duration=600.0)
    found = find(cast, shortest=500.0)
    assert ([row.id for row in found.rows], found.reached) == ([made[0].id], None)


@pytest.mark.usefixtures("no_time")
def test_other_filters_are_bounded_like_words(cast):
    made = calls(cast, *["hello"] * 5)
    Track.objects.create(session=made[0], speaker="customer", language="pt")
    first = find(cast, language="pt")
    assert (first.rows, first.reached) == ([], made[2].id)
    second = find(cast, language="pt", page=KeysetPagination(2, starting_after=first.reached))
    assert (second.rows, second.reached) == ([made[0]], None)


@pytest.mark.usefixtures("frequent")
def test_filters_also_apply_to_frequent_words(cast):
    wanted = calls(cast, "a refund", duration=100.0, status="ended")
    calls(cast, "a refund", duration=5.0, status="ended")
    calls(cast, "a refund", duration=100.0)
    assert find(cast, "refund", shortest=50.0, status="ended").rows == wanted


@pytest.mark.usefixtures("frequent")
@pytest.mark.parametrize(
    "typed", ['"order number"', "REFUND order", "refu", '"número"', "question"]
)
def test_frequent_words_match_like_in_the_index(cast, typed):
    wanted = calls(cast, "Refund my order, número, order: number five")
    Session.objects.get(pk=wanted[0].pk).segments.update(translation="A question")
    calls(cast, "number order", "ordering renumber refunds", "")
    assert wanted[0] in find(cast, typed).rows
    assert len(find(cast, typed).rows) <= (2 if typed == "refu" else 1)


@pytest.mark.parametrize("typed", ["%", "100% sure", "a_b", "back\\slash", "'"])
@pytest.mark.usefixtures("frequent")
def test_no_search_text_breaks_the_scan(cast, typed):
    calls(cast, "100% sure of a_b and a back\\slash, isn't it")
    find(cast, typed)


@pytest.mark.usefixtures("no_time", "frequent")
def test_the_page_offers_to_continue_the_search(cast):
    made = calls(cast, "a refund", *["no"] * 4)
    client = Client()
    client.force_login(cast.teammate)
    page = client.get("/dashboard/sessions?q=refund")
    assert "No matches so far" in page.text
    assert "Search further" in page.text
    further = client.get(page.context["page"].older_url)
    assert made[0].id in further.text
    assert "Searched calls back to" not in further.text


ADDRESSES = [
    "/dashboard/sessions",
    "/dashboard/sessions?q=refund",
    "/dashboard/sessions?q=unsaid",
    "/dashboard/sessions?q=refund&language=en&longest=90&status=created",
    "/dashboard/sessions?language=pt&meta=a%3Db&sentiment=negative&compliance=passed",
    "/dashboard/sessions?shortest=900",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("rare", [0, 2000])
def test_a_list_takes_few_queries_with_any_filters(
    cast, monkeypatch, django_assert_max_num_queries, address, rare
):
    monkeypatch.setattr(index, "RARE_WORD_SEGMENTS", rare)
    monkeypatch.setattr(pages, "FIRST_BATCH_SIZE", 2)
    monkeypatch.setattr(pages, "FIRST_BATCH_SIZE_FOR_WORDS", 2)
    calls(cast, *["a refund", "no"] * 5)
    client = Client()
    client.force_login(cast.teammate)
    with django_assert_max_num_queries(12):
        assert client.get(address).status_code == 200


def test_a_scan_on_postgresql_does_not_use_the_index(cast):
    # The plan, because a test has too few rows to measure a difference.
    if connection.vendor != "postgresql":
        pytest.skip("SQLite reads a range of its index instead")
    plan = index.sessions_matching_by_scan(Session.objects.all(), parse("refund")).explain()
    assert "segments_by_words" not in plan
