"""Webhook endpoints over REST."""

import datetime
import json

import pytest
from django.test import Client
from django.utils import timezone

from kallglot_site import executors
from kallglot_site.accounts.models import AuditEntry
from kallglot_site.accounts.services import api_key_create
from tests.fakes.executors import full_executor
from tests.kallglot_site.api.served_schema import assert_described, served
from tests.webhooks_app.conftest import deliveries
from webhooks_app import services
from webhooks_app.delivery import urls
from webhooks_app.delivery.claims import Limits, claim
from webhooks_app.delivery.messages import Answer
from webhooks_app.delivery.outcomes import outcomes_record
from webhooks_app.models import Delivery, Endpoint

PATH = "/v1/webhook_endpoints"
URL = "https://203.0.114.1/hook"


def send(api, method, path, body=None, **headers):
    return api.generic(
        method,
        path,
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers=headers,
    )


def create(api, **body):
    return send(api, "POST", PATH, {"url": URL, "events": ["*"]} | body)


def error_of(response):
    return response.json()["error"]


def test_a_created_endpoint_shows_its_secret_once(api):
    response = create(api, events=["session.ended"], description="CRM")
    body = response.json()
    assert response.status_code == 201
    assert body["id"].startswith("wh_")
    assert body["secret"].startswith("whsec_")
    assert body | {"id": 0, "secret": 0, "created_at": 0} == {
        "id": 0,
        "object": "webhook_endpoint",
        "url": URL,
        "events": ["session.ended"],
        "description": "CRM",
        "status": "enabled",
        "disabled_reason": None,
        "secret": 0,
        "created_at": 0,
    }
    assert "no-store" in response["Cache-Control"]
    again = api.get(f"{PATH}/{body['id']}").json()
    assert again == {name: value for name, value in body.items() if name != "secret"}
    assert api.get(PATH).json()["data"] == [again]


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"url": "http://203.0.114.1/"}, "invalid_url", "url"),
        ({"url": "https://127.0.0.1/"}, "invalid_url", "url"),
        ({"url": "https://user:pass@203.0.114.1/"}, "invalid_url", "url"),
        ({"url": "file:///etc/passwd"}, "invalid_url", "url"),
        ({"url": ""}, "invalid_url", "url"),
        ({"url": 5}, "invalid_field_value", "url"),
        ({"events": []}, "invalid_field_value", "events"),
        ({"events": ["session.exploded"]}, "invalid_field_value", "events"),
        ({"events": "*"}, "invalid_field_value", "events"),
        ({"description": "x" * 501}, "invalid_field_value", "description"),
        ({"evnets": ["*"]}, "unknown_field", "evnets"),
    ],
)
def test_an_invalid_endpoint_is_refused_with_the_parameter(api, change, code, param):
    response = create(api, **change)
    assert response.status_code == 422
    assert (error_of(response)["code"], error_of(response)["param"]) == (code, param)
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("missing", ["url", "events"])
def test_url_and_events_are_required(api, missing):
    body = {"url": URL, "events": ["*"]}
    del body[missing]
    response = send(api, "POST", PATH, body)
    assert error_of(response)["code"] == "missing_required_field"
    assert error_of(response)["param"] == missing


def test_creating_twice_with_one_idempotency_key_makes_one_endpoint(api):
    body = {"url": URL, "events": ["*"]}
    first, second = (send(api, "POST", PATH, body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.content == second.content
    assert second["Idempotent-Replayed"] == "true"
    assert Endpoint.objects.count() == 1


def test_the_name_service_is_asked_outside_of_the_transaction(transactional_db, api, monkeypatch):
    from django.db import connection

    inside = []

    def resolve(host, port):
        inside.append(connection.in_atomic_block)
        return ["93.184.216.34"]

    class SameThread:
        def call(self, timeout, work, *arguments):
            return work(*arguments)

    monkeypatch.setattr(urls, "resolve", resolve)
    monkeypatch.setattr(executors, "LOOKUPS", SameThread())
    body = {"url": "https://hooks.example.com/", "events": ["*"]}
    assert send(api, "POST", PATH, body, **{"Idempotency-Key": "k"}).status_code == 201
    assert inside == [False]


def test_a_host_name_is_not_looked_up_while_too_many_others_are(api, monkeypatch):
    with full_executor() as full:
        monkeypatch.setattr(executors, "LOOKUPS", full)
        response = create(api, url="https://hooks.example.com/")
    assert (response.status_code, error_of(response)["code"]) == (503, "service_unavailable")
    assert response["Retry-After"] == "5"
    assert not Endpoint.objects.exists()


def test_an_endpoint_changes_only_in_what_is_given(api):
    made = create(api, description="before").json()
    response = send(api, "PATCH", f"{PATH}/{made['id']}", {"events": ["recording.ready"]})
    assert response.status_code == 200
    del made["secret"]
    assert response.json() == made | {"events": ["recording.ready"]}


def test_an_endpoint_can_be_disabled_and_enabled(api):
    path = f"{PATH}/{create(api).json()['id']}"
    off = send(api, "PATCH", path, {"status": "disabled"}).json()
    assert (off["status"], off["disabled_reason"]) == ("disabled", "manual")
    on = send(api, "PATCH", path, {"status": "enabled"}).json()
    assert (on["status"], on["disabled_reason"]) == ("enabled", None)


def test_a_private_url_is_refused_at_change_too(api):
    path = f"{PATH}/{create(api).json()['id']}"
    response = send(api, "PATCH", path, {"url": "https://[::1]/"})
    assert (response.status_code, error_of(response)["code"]) == (422, "invalid_url")


def test_a_deleted_endpoint_does_not_exist(api):
    path = f"{PATH}/{create(api).json()['id']}"
    assert send(api, "DELETE", path).status_code == 204
    assert api.get(path).status_code == 404
    assert send(api, "DELETE", path).status_code == 404
    assert api.get(PATH).json()["data"] == []


def test_rotating_shows_a_new_secret_once(api):
    made = create(api).json()
    response = send(api, "POST", f"{PATH}/{made['id']}/rotate_secret")
    assert response.status_code == 200
    assert response.json()["secret"] not in {made["secret"], None}
    assert "no-store" in response["Cache-Control"]


# --- Deliveries ----------------------------------------------------------------------------------


@pytest.fixture
def tested(api, rings) -> Delivery:
    """A delivery of a test event."""
    made = create(api).json()
    response = send(api, "POST", f"{PATH}/{made['id']}/test")
    assert response.status_code == 200
    return Delivery.objects.get(id=response.json()["id"])


def answer(status, **values):
    messages = claim("dsp_a", Limits(10, {}))
    at = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
    succeeded = status is not None and 200 <= status < 300
    result = Answer(at=at, duration_ms=84, succeeded=succeeded, status_code=status, **values)
    outcomes_record("dsp_a", [(message, result) for message in messages])


def test_a_test_event_is_a_pending_delivery(api, tested):
    body = api.get(f"/v1/webhook_deliveries/{tested.id}").json()
    assert body["next_attempt_at"].endswith("Z")
    assert body | {"next_attempt_at": 0, "created_at": 0} == {
        "id": tested.id,
        "object": "webhook_delivery",
        "event_id": tested.event_id,
        "endpoint_id": tested.endpoint_id,
        "type": "webhook.test",
        "status": "pending",
        "attempts": 0,
        "next_attempt_at": 0,
        "last_attempt": None,
        "created_at": 0,
    }


def test_a_delivery_shows_its_last_attempt(api, tested):
    answer(502, response_body="Bad gateway")
    body = api.get(f"/v1/webhook_deliveries/{tested.id}").json()
    assert (body["status"], body["attempts"]) == ("pending", 1)
    assert body["last_attempt"] == {
        "at": "2026-03-01T12:00:00Z",
        "status_code": 502,
        "duration_ms": 84,
        "error": None,
        "response_body": "Bad gateway",
    }


@pytest.mark.parametrize(
    ("status", "values"), [(200, {}), (502, {"response_body": "x"}), (None, {"error": "Timeout"})]
)
def test_every_delivery_is_as_the_schema_says(api, tested, status, values):
    answer(status, **values)
    found = api.get(f"/v1/webhook_deliveries/{tested.id}")
    assert found.json()["last_attempt"]["status_code"] == status
    assert_described(served(api), "GET", "/v1/webhook_deliveries/{delivery_id}", found)


def test_the_history_of_an_endpoint_can_be_filtered_by_status(api, tested):
    path = f"{PATH}/{tested.endpoint_id}/deliveries"
    assert [row["id"] for row in api.get(path).json()["data"]] == [tested.id]
    assert api.get(f"{path}?status=failed").json()["data"] == []
    assert api.get(f"{path}?status=lost").status_code == 422


def test_the_history_costs_the_same_however_long(api, tested, django_assert_max_num_queries):
    for _ in range(9):
        services.endpoint_test(endpoint=tested.endpoint)
    answer(200)
    with django_assert_max_num_queries(6):
        page = api.get(f"{PATH}/{tested.endpoint_id}/deliveries").json()
    assert all(row["last_attempt"]["status_code"] == 200 for row in page["data"])


def test_a_delivery_can_be_sent_again(api, tested):
    answer(200)
    response = send(api, "POST", f"/v1/webhook_deliveries/{tested.id}/redeliver")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["attempts"]) == ("pending", 1)


def test_all_that_failed_since_a_time_is_sent_again(api, tested):
    Delivery.objects.update(status="failed", next_attempt_at=None)
    since = (timezone.now() - datetime.timedelta(hours=1)).isoformat()
    path = f"{PATH}/{tested.endpoint_id}/redeliver"
    assert send(api, "POST", path, {"since": since}).json()["count"] == 1
    assert [row.status for row in deliveries()] == ["pending"]
    assert send(api, "POST", path, {}).status_code == 422


def test_a_disabled_endpoint_is_not_tested(api, tested):
    path = f"{PATH}/{tested.endpoint_id}"
    send(api, "PATCH", path, {"status": "disabled"})
    response = send(api, "POST", f"{path}/test")
    assert response.status_code == 422
    assert "disabled" in error_of(response)["message"]


def test_an_endpoint_made_for_a_given_url_is_not_listed(api, cast, rings):
    from django.db import transaction

    with transaction.atomic():
        event = services.event_record(tenant=cast.tenant, type="analysis.complete", data={})
        delivery = services.delivery_create_for_url(tenant=cast.tenant, event=event, url=URL)
    assert api.get(PATH).json()["data"] == []
    assert api.get(f"{PATH}/{delivery.endpoint_id}").status_code == 404
    assert api.get(f"/v1/webhook_deliveries/{delivery.id}").json()["endpoint_id"] is None


def test_a_read_only_key_cannot_write(cast):
    _, key = api_key_create(tenant=cast.tenant, name="narrow", scopes=["webhooks:read"])
    response = create(Client(headers={"Authorization": f"Bearer {key}"}))
    assert response.status_code == 403
    assert "webhooks:write" in error_of(response)["message"]


def test_what_a_key_does_with_endpoints_is_in_the_audit_log(api, cast):
    made = api.post(
        "/v1/webhook_endpoints",
        {"url": "https://receiver.example/hook", "events": ["*"]},
        content_type="application/json",
    ).json()
    path = f"/v1/webhook_endpoints/{made['id']}"
    api.patch(path, {"description": "orders"}, content_type="application/json")
    api.post(f"{path}/rotate_secret", {}, content_type="application/json")
    api.delete(path)
    entries = AuditEntry.objects.order_by("id")
    assert [entry.action for entry in entries] == [
        "webhook_endpoint.created",
        "webhook_endpoint.changed",
        "webhook_endpoint.secret_rotated",
        "webhook_endpoint.delete",
    ]
    assert {(entry.target, entry.detail) for entry in entries} == {(made["id"], made["url"])}
    assert all(entry.actor_key is not None for entry in entries)


def test_a_local_url_is_refused_with_the_setting_that_allows_it(api):
    answer = api.post(
        "/v1/webhook_endpoints",
        {"url": "http://127.0.0.1:9000/hook", "events": ["*"]},
        content_type="application/json",
    )
    assert answer.status_code == 422
    assert "KALLGLOT_WEBHOOK_ALLOW_PRIVATE" in answer.json()["error"]["message"]
