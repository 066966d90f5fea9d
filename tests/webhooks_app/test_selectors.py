"""Finding an endpoint's deliveries of one type of event."""

import pytest
from django.db import transaction
from django.test import Client

from kallglot_site.api import bounded_search
from kallglot_site.api.pagination import KeysetPagination
from webhooks_app import selectors, services
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, Endpoint


@pytest.fixture(autouse=True)
def _quiet(rings):
    """No task is sent to a real broker."""


@pytest.fixture(params=["rare", "usual"])
def either_way(request, monkeypatch):
    """Runs a test twice: found through the events, and by reading the deliveries."""
    if request.param == "usual":
        monkeypatch.setattr(selectors, "RARE", 0)


def endpoint(tenant, number: int = 1) -> Endpoint:
    url = CheckedUrl(f"https://203.0.114.{number}/hook")
    return services.endpoint_create(tenant=tenant, url=url, events=["*"])[0]


def sent(to: Endpoint, tenant, *types: str) -> list[Delivery]:
    """An event of each type, the oldest first, and what ``to`` got of them."""
    with transaction.atomic():
        events = [services.event_record(tenant=tenant, type=type, data={}) for type in types]
    return [event.deliveries.get(endpoint=to) for event in events]


def page(endpoint: Endpoint, type: str, status: str | None = None, **cursor: str):
    cursors = KeysetPagination(2, **cursor)
    return selectors.delivery_page(endpoint=endpoint, page=cursors, status=status, type=type)


@pytest.mark.usefixtures("either_way")
def test_pages_of_one_type_follow_each_other_in_both_directions(cast):
    hook = endpoint(cast.tenant)
    end, start = "session.ended", "session.started"
    made = sent(hook, cast.tenant, end, start, end, start, start, end, start)
    wanted = [each for each in made if each.event.type == end]
    first = page(hook, end)
    assert (first.rows, first.more, first.reached) == ([wanted[2], wanted[1]], True, None)
    second = page(hook, end, starting_after=wanted[1].id)
    assert (second.rows, second.more) == ([wanted[0]], False)
    back = page(hook, end, ending_before=wanted[0].id)
    assert (back.rows, back.more) == ([wanted[2], wanted[1]], False)


@pytest.mark.usefixtures("either_way")
def test_type_and_outcome_can_be_filtered_together(cast):
    hook = endpoint(cast.tenant)
    made = sent(hook, cast.tenant, *["session.ended"] * 3, "session.started")
    Delivery.objects.filter(pk__in=[made[1].pk, made[3].pk]).update(status="failed")
    assert page(hook, "session.ended", status="failed").rows == [made[1]]


@pytest.mark.usefixtures("either_way")
def test_deliveries_of_other_endpoints_and_tenants_are_not_listed(cast):
    hook, second = endpoint(cast.tenant), endpoint(cast.tenant, 2)
    elsewhere, theirs = endpoint(cast.test_tenant), endpoint(cast.other_tenant)
    (mine,) = sent(hook, cast.tenant, "session.ended")
    sent(elsewhere, cast.test_tenant, "session.ended")
    sent(theirs, cast.other_tenant, "session.ended")
    assert page(hook, "session.ended").rows == [mine]
    assert page(second, "session.ended").rows == [mine.event.deliveries.get(endpoint=second)]


def test_a_rare_type_is_found_without_reading_the_deliveries(cast, monkeypatch):
    monkeypatch.setattr(selectors, "search_in_batches", None)
    hook = endpoint(cast.tenant)
    made = sent(hook, cast.tenant, "analysis.failed", *["session.ended"] * 5)
    assert page(hook, "analysis.failed").rows == made[:1]
    assert page(hook, "recording.failed").rows == []


@pytest.mark.parametrize("types", [["analysis.failed"], []])
def test_a_search_that_takes_too_long_can_be_continued(cast, monkeypatch, types):
    monkeypatch.setattr(selectors, "RARE", -1)
    monkeypatch.setattr(bounded_search, "TIME_LIMIT", 0.0)
    monkeypatch.setattr(selectors, "FIRST_BATCH_SIZE", 2)
    hook = endpoint(cast.tenant)
    sent(hook, cast.tenant, "session.started", *types, *["session.ended"] * 2)
    admin = Client()
    admin.force_login(cast.owner)
    address = f"/dashboard/webhooks/{hook.id}"
    shown = admin.get(address, {"type": "analysis.failed"})
    assert "No matches so far" in shown.text
    assert "Searched deliveries back to" in shown.text
    further = admin.get(shown.context["page"].older_url)
    assert len(further.context["page"].rows) == len(types)
    assert "No matches so far" not in further.text
