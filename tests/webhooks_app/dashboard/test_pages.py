"""The webhook pages of admins, closed to reviewers."""

import datetime
import re

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from kallglot_site import executors
from kallglot_site.accounts.models import AuditEntry
from tests.factories import SessionFactory
from tests.fakes.executors import full_executor
from webhooks_app import services, signing
from webhooks_app.delivery.claims import Limits, claim
from webhooks_app.delivery.messages import Answer
from webhooks_app.delivery.outcomes import outcomes_record
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, Endpoint

URL = "https://203.0.114.1/hook"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _quiet(rings):
    """Sends nothing to a real broker."""


@pytest.fixture
def admin(cast) -> Client:
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def reviewer(cast) -> Client:
    client = Client()
    client.force_login(cast.teammate)
    return client


@pytest.fixture
def listed(cast) -> Endpoint:
    return services.endpoint_create(
        tenant=cast.tenant, url=CheckedUrl(URL), events=["*"], description="CRM"
    )[0]


def record(cast, session_id=None, data=None) -> Delivery:
    with transaction.atomic():
        event = services.event_record(
            tenant=cast.tenant,
            type="session.ended",
            data={"id": "x"} if data is None else data,
            session_id=session_id,
        )
    return event.deliveries.get()


def answer(status, **values):
    result = Answer(
        at=timezone.now(),
        duration_ms=84,
        succeeded=status is not None and status < 300,
        status_code=status,
        **values,
    )
    outcomes_record("dsp_a", [(message, result) for message in claim("dsp_a", Limits(100, {}))])


def secret_on(text, id="secret"):
    found = re.search(rf'id="{id}" value="([^"]+)"', text)
    return found and found[1]


def create(client, **fields):
    return client.post(
        "/dashboard/webhooks",
        {"url": URL, "description": "CRM", "everything": "on"} | fields,
    )


# --- Endpoints -----------------------------------------------------------------------------------


def test_an_empty_list_says_what_to_do(admin):
    assert "No endpoints yet" in admin.get("/dashboard/webhooks").text


def test_a_new_endpoints_secret_is_shown_in_that_response_only(admin):
    made = create(admin)
    endpoint = Endpoint.objects.get()
    secret = secret_on(made.text)
    assert signing.secret_open(bytes(endpoint.secret or b"")) == secret
    assert endpoint.events == ["*"]
    assert secret not in admin.get("/dashboard/webhooks").text
    assert AuditEntry.objects.filter(action="webhook_endpoint.created").exists()


def test_single_event_types_can_be_chosen(admin):
    create(admin, everything="", events=["session.ended", "recording.ready"])
    assert Endpoint.objects.get().events == ["session.ended", "recording.ready"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "https://127.0.0.1/"}, "not public"),
        ({"url": "http://203.0.114.1/"}, "https://"),
        ({"everything": ""}, "at least one event"),
    ],
)
def test_an_invalid_form_shows_the_reason(admin, fields, says):
    response = create(admin, **fields)
    assert response.status_code == 422
    assert says in response.text
    assert not Endpoint.objects.exists()


def test_the_form_says_that_a_host_name_cannot_be_looked_up_now(admin, monkeypatch):
    with full_executor() as full:
        monkeypatch.setattr(executors, "LOOKUPS", full)
        response = create(admin, url="https://hooks.example.com/")
    assert response.status_code == 422
    assert "Try again in a few seconds" in response.text


def test_the_list_shows_the_health_of_endpoints(admin, cast, listed):
    record(cast)
    answer(200)
    record(cast)
    answer(500)
    page = admin.get("/dashboard/webhooks").text
    assert "50%" in page
    assert "HTTP 500" in page
    assert "<polyline" in page


def test_an_endpoint_that_was_disabled_automatically_is_announced(admin, cast, listed):
    Endpoint.objects.update(failing_since=timezone.now() - datetime.timedelta(days=4))
    record(cast)
    answer(500)
    page = admin.get("/dashboard/webhooks").text
    assert "was disabled" in page
    assert '<span class="count alarming">1</span>' in admin.get("/dashboard/").text
    assert "three days" in page


def test_an_endpoint_can_be_edited(admin, listed):
    path = f"/dashboard/webhooks/{listed.id}"
    fields = {"url": URL, "description": "New", "events": ["session.ended"]}
    assert admin.post(path, fields).status_code == 302
    listed.refresh_from_db()
    assert (listed.description, listed.events) == ("New", ["session.ended"])


def test_rotating_shows_the_new_secret_in_that_response_only(admin, listed):
    path = f"/dashboard/webhooks/{listed.id}"
    secret = secret_on(admin.post(f"{path}/rotate").text)
    listed.refresh_from_db()
    assert signing.secret_open(bytes(listed.secret or b"")) == secret
    assert secret not in admin.get(path).text


def test_an_endpoint_can_be_disabled_enabled_and_deleted(admin, listed):
    path = f"/dashboard/webhooks/{listed.id}"
    states = []
    for action in ("disable", "enable"):
        admin.post(f"{path}/{action}")
        listed.refresh_from_db()
        states.append(listed.status)
    assert states == ["disabled", "enabled"]
    admin.post(f"{path}/delete")
    assert admin.get(path).status_code == 404


def test_a_test_event_opens_the_page_of_its_delivery(admin, listed):
    response = admin.post(f"/dashboard/webhooks/{listed.id}/test", follow=True)
    assert 'hx-trigger="every 1s"' in response.text
    answer(200, response_body="thanks")
    fragment = admin.get(response.request["PATH_INFO"], headers={"HX-Request": "true"}).text
    assert "thanks" in fragment
    assert "every 1s" not in fragment
    assert "<html" not in fragment


def test_a_disabled_endpoint_is_not_tested(admin, listed):
    services.endpoint_update(endpoint=listed, status="disabled")
    page = admin.post(f"/dashboard/webhooks/{listed.id}/test", follow=True).text
    assert "Enable it to test it" in page
    assert not Delivery.objects.exists()


# --- Deliveries ----------------------------------------------------------------------------------


def test_a_delivery_shows_each_attempts_request_response_and_duration(admin, cast, listed):
    delivery = record(cast)
    answer(
        502,
        response_body="Bad gateway",
        request_headers={"webhook-id": "evt_shown"},
        response_headers={"server": "nginx"},
    )
    page = admin.get(f"/dashboard/webhooks/deliveries/{delivery.id}").text
    for text in ("HTTP 502", "Bad gateway", "evt_shown", "nginx", "84 ms", "Attempt 1"):
        assert text in page


def test_a_delivery_is_sent_again_with_one_click(admin, cast, listed):
    delivery = record(cast)
    answer(200)
    admin.post(f"/dashboard/webhooks/deliveries/{delivery.id}")
    delivery.refresh_from_db()
    assert delivery.status == "pending"


def test_failed_deliveries_are_sent_again_at_once(admin, cast, listed):
    record(cast)
    Delivery.objects.update(status="failed", next_attempt_at=None)
    path = f"/dashboard/webhooks/{listed.id}"
    page = admin.post(f"{path}/redeliver", {"hours": "24"}, follow=True).text
    assert "Deliveries sent again: 1" in page
    assert Delivery.objects.get().status == "pending"


def test_the_history_is_filtered_by_outcome_and_type(admin, cast, listed):
    record(cast)
    path = f"/dashboard/webhooks/{listed.id}"
    assert "whd_" in admin.get(f"{path}?status=pending&type=session.ended").text
    assert "No delivery matches" in admin.get(f"{path}?status=failed").text
    assert "No delivery matches" in admin.get(f"{path}?type=recording.ready").text


def test_markup_in_a_receivers_response_is_escaped(admin, cast, listed):
    delivery = record(cast, data={"note": HOSTILE})
    answer(500, response_body=HOSTILE, error=HOSTILE, response_headers={HOSTILE: HOSTILE})
    for path in (
        f"webhooks/deliveries/{delivery.id}",
        f"webhooks/{listed.id}",
        "webhooks",
        f"events/{delivery.event_id}",
    ):
        assert "<img src=x" not in admin.get(f"/dashboard/{path}").text, path


# --- The organization's secret -------------------------------------------------------------------


def test_the_organizations_secret_is_shown_on_request_and_rotated(admin, cast):
    path = "/dashboard/webhooks/signing-secret"
    shown = secret_on(admin.post(path, {"action": "reveal"}).text, "own-secret")
    assert shown == services.organization_secret(tenant=cast.tenant)
    rotated = secret_on(admin.post(path, {"action": "rotate"}).text, "own-secret")
    assert rotated == services.organization_secret(tenant=cast.tenant) != shown
    assert rotated not in admin.get("/dashboard/webhooks").text


# --- Events --------------------------------------------------------------------------------------


def test_events_are_listed_filtered_and_shown(admin, cast, listed):
    event = record(cast, session_id=SessionFactory.create(organization=cast.organization).id).event
    assert event.id in admin.get("/dashboard/events").text
    assert event.id in admin.get(f"/dashboard/events?session_id={event.session_id}").text
    assert "No event matches" in admin.get("/dashboard/events?type=recording.ready").text
    page = admin.get(f"/dashboard/events/{event.id}").text
    assert "webhook_event" in page
    assert URL in page


def test_the_catalog_shows_every_type_with_its_schema(admin):
    page = admin.get("/dashboard/events/catalog").text
    assert "session.provider.disconnected" in page
    assert "json-schema.org" in page


def test_the_sessions_event_panel_refreshes_while_deliveries_are_pending(admin, cast, listed):
    session = SessionFactory.create(organization=cast.organization)
    record(cast, session_id=session.id)
    path = f"/dashboard/sessions/{session.id}/events-panel"
    assert path in admin.get(f"/dashboard/sessions/{session.id}").text
    assert "every 2s" in admin.get(path).text
    answer(200)
    page = admin.get(path).text
    assert "Delivered" in page
    assert "every 2s" not in page
    assert "in a row" not in page


def test_the_panel_groups_events_of_one_type_in_a_row(admin, cast, listed):
    session = SessionFactory.create(organization=cast.organization)
    for _ in range(3):
        record(cast, session_id=session.id)
    page = admin.get(f"/dashboard/sessions/{session.id}/events-panel").text
    assert "3 in a row" in page
    assert page.count("session.ended</a>") == 1
    assert f"?session_id={session.id}&amp;type=session.ended" in page


# --- Permissions ---------------------------------------------------------------------------------


def paths(cast, listed):
    delivery = record(cast)
    return {
        "GET": [
            "webhooks",
            f"webhooks/{listed.id}",
            f"webhooks/deliveries/{delivery.id}",
            "events",
            "events/catalog",
            f"events/{delivery.event_id}",
            "sessions/sess_1/events-panel",
        ],
        "POST": [
            "webhooks",
            "webhooks/signing-secret",
            f"webhooks/{listed.id}",
            f"webhooks/{listed.id}/rotate",
            f"webhooks/deliveries/{delivery.id}",
            *(
                f"webhooks/{listed.id}/{action}"
                for action in ("enable", "disable", "delete", "test", "redeliver")
            ),
        ],
    }


def test_reviewers_have_no_access_to_webhooks(reviewer, cast, listed):
    for method, all_paths in paths(cast, listed).items():
        for path in all_paths:
            response = reviewer.generic(method, f"/dashboard/{path}")
            assert response.status_code == 403, path
    session = SessionFactory.create(organization=cast.organization)
    assert "webhooks" not in reviewer.get("/dashboard/").text
    assert "events-panel" not in reviewer.get(f"/dashboard/sessions/{session.id}").text
    listed.refresh_from_db()
    assert listed.is_enabled


def test_admins_of_another_organization_get_404(cast, listed):
    client = Client()
    client.force_login(cast.outsider)
    for method, all_paths in paths(cast, listed).items():
        for path in all_paths:
            if "wh" in path.partition("/")[2] or "evt_" in path:
                if "signing-secret" in path:
                    continue
                response = client.generic(method, f"/dashboard/{path}")
                assert response.status_code == 404, path


def test_changes_need_a_csrf_token(cast, listed):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.owner)
    for path in paths(cast, listed)["POST"]:
        assert client.post(f"/dashboard/{path}").status_code == 403, path
