"""Keyset pagination: every object once, in order, in both directions, at a constant cost."""

import datetime
import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kallglot_site.accounts.models import ApiKey
from sessions_app.models import Session
from sessions_app.selectors import session_list
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def seven(cast: Cast) -> list[str]:
    """Ids, newest first."""
    made = SessionFactory.create_batch(7, organization=cast.organization)
    return sorted((session.id for session in made), reverse=True)


def ids(api: Client, **query: Any) -> tuple[list[str], bool]:
    body = api.get("/v1/sessions", query).json()
    return [each["id"] for each in body["data"]], body["has_more"]


def test_pages_go_back_in_time_and_end(api: Client, seven: list[str]) -> None:
    assert ids(api, limit=3) == (seven[:3], True)
    assert ids(api, limit=3, starting_after=seven[2]) == (seven[3:6], True)
    assert ids(api, limit=3, starting_after=seven[5]) == (seven[6:], False)
    assert ids(api, limit=3, starting_after=seven[6]) == ([], False)


def test_pages_go_forward_again_newest_first(api: Client, seven: list[str]) -> None:
    assert ids(api, limit=3, ending_before=seven[6]) == (seven[3:6], True)
    assert ids(api, limit=3, ending_before=seven[3]) == (seven[0:3], False)
    assert ids(api, limit=3, ending_before=seven[0]) == ([], False)


def test_a_full_last_page_has_no_more(api: Client, seven: list[str]) -> None:
    assert ids(api, limit=7) == (seven, False)
    assert ids(api, limit=6) == (seven[:6], True)


def test_the_object_of_a_cursor_need_not_exist(api: Client, seven: list[str]) -> None:
    Session.objects.filter(pk=seven[2]).delete()

    assert ids(api, limit=2, starting_after=seven[2]) == (seven[3:5], True)


def test_new_objects_do_not_shift_the_pages(api: Client, cast: Cast, seven: list[str]) -> None:
    first, _ = ids(api, limit=3)
    SessionFactory.create(organization=cast.organization)

    assert ids(api, limit=3, starting_after=first[-1]) == (seven[3:6], True)


@pytest.fixture
def queries(cast: Cast) -> CaptureQueriesContext:
    # The use of the key was noted just now: what is counted is the request itself.
    ApiKey.objects.update(last_used_at="2099-01-01T00:00:00Z")
    return CaptureQueriesContext(connection)


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/transcript", "/{id}/transcript?format=vtt"])
def test_a_read_takes_at_most_three_queries(
    api: Client, cast: Cast, queries: CaptureQueriesContext, path: str
) -> None:
    for session in SessionFactory.create_batch(3, organization=cast.organization):
        SegmentFactory.create_batch(3, session=session)

    with queries:
        response = api.get("/v1/sessions" + path.format(id=session.id))

    assert response.status_code == 200
    assert _without_counting(queries) <= 3, [each["sql"][:90] for each in queries]


def _without_counting(queries: CaptureQueriesContext) -> int:
    """Without Redis a database server also counts the request, in one more statement."""
    return sum("api_requestcount" not in each["sql"] for each in queries)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"status": "ended"},
        {"mode": "transcription"},
        {"created_before": datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC)},
    ],
    ids=str,
)
@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
def test_postgresql_reads_a_page_from_an_index_and_sorts_nothing(
    cast: Cast, filters: dict[str, Any], cursor: str
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("query plans are PostgreSQL's")
    _fill(cast, 5000)
    middle = Session.objects.order_by("id").values_list("id", flat=True)[2500]
    bound = {"id__lt": middle} if cursor == "starting_after" else {"id__gt": middle}
    order = "-id" if cursor == "starting_after" else "id"

    page = session_list(tenant=cast.tenant, **filters).filter(**bound).order_by(order)[:21]
    plan = json.loads(page.explain(format="json", analyze=True))[0]["Plan"]

    nodes = list(_nodes(plan))
    assert all("Sort" not in node["Node Type"] for node in nodes)
    assert all(node["Node Type"] != "Seq Scan" for node in nodes)
    assert sum(node.get("Rows Removed by Filter", 0) for node in nodes) < 100


def _fill(cast: Cast, count: int) -> None:
    Session.objects.bulk_create(
        SessionFactory.build(
            organization=cast.organization, status="ended" if number % 2 else "active"
        )
        for number in range(count)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sessions_app_session")


def _nodes(plan: dict[str, Any]) -> Any:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
