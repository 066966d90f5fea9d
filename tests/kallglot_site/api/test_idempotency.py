"""A request repeated with its idempotency key has one effect and one answer."""

import datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from kallglot_site.accounts.services import api_key_create
from kallglot_site.api import idempotency
from kallglot_site.api.idempotency import idempotent_responses_sweep
from kallglot_site.api.models import IdempotentResponse
from sessions_app.models import Session
from tests.conftest import Cast
from tests.factories import SessionFactory

pytestmark = pytest.mark.django_db

BODY = {"mode": "transcription", "metadata": {"a": "1", "b": "2"}}


def create(client: Client, key: str = "k-1", body: Any = BODY, path: str = "/v1/sessions") -> Any:
    return client.post(path, body, "application/json", headers={"Idempotency-Key": key})


def test_a_repeated_request_gets_the_first_answer_byte_for_byte(api: Client) -> None:
    first, second = create(api), create(api)

    assert first.status_code == second.status_code == 201
    assert second.content == first.content
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert second["Content-Type"] == first["Content-Type"] == "application/json"
    assert second["Cache-Control"] == first["Cache-Control"] == "no-store"
    assert second["X-Request-ID"] != first["X-Request-ID"]
    assert second["X-RateLimit-Remaining"] != first["X-RateLimit-Remaining"]
    assert Session.objects.count() == 1


def test_the_same_body_written_differently_is_the_same_request(api: Client) -> None:
    create(api)
    reordered = '{ "metadata": {"b": "2", "a": "1"}, "mode": "transcription" }'

    again = api.post(
        "/v1/sessions", reordered, "application/json", headers={"Idempotency-Key": "k-1"}
    )

    assert again["Idempotent-Replayed"] == "true"


def test_another_request_with_the_key_is_refused(api: Client, cast: Cast) -> None:
    create(api)
    session = SessionFactory.create(organization=cast.organization)

    other_body = create(api, body={"mode": "transcription"})
    other_path = create(api, body={}, path=f"/v1/sessions/{session.id}/end")

    for response in (other_body, other_path):
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "idempotency_mismatch"


def test_keys_belong_to_an_organization_and_an_environment(cast: Cast) -> None:
    answers = [
        create(Client(headers={"X-API-Key": key}))
        for key in (cast.key, cast.test_key, cast.other_key)
    ]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["id"] for answer in answers}) == 3


def test_the_key_of_a_failed_request_can_be_used_again(api: Client, cast: Cast) -> None:
    cast.organization.concurrent_sessions = 0
    cast.organization.save()
    assert create(api).status_code == 429
    assert create(api, body={"mode": "karaoke"}).status_code == 422
    cast.organization.concurrent_sessions = 1
    cast.organization.save()

    assert create(api).status_code == 201


def test_scope_is_checked_before_any_replay(api: Client, cast: Cast) -> None:
    create(api)
    _, reader = api_key_create(tenant=cast.tenant, name="reader", scopes=["sessions:read"])

    response = create(Client(headers={"X-API-Key": reader}))

    assert response.status_code == 403


def test_answers_are_encrypted_at_rest(api: Client) -> None:
    response = create(api)

    stored = IdempotentResponse.objects.get()
    assert response.json()["stream"]["token"].encode() not in bytes(stored.body)
    assert response.json()["id"].encode() not in bytes(stored.body)


def test_a_key_can_be_used_again_after_a_day(api: Client) -> None:
    create(api)

    with time_machine.travel(timezone.now() + datetime.timedelta(hours=24, seconds=1)):
        again = create(api)
        assert again.status_code == 201
        assert "Idempotent-Replayed" not in again
        assert create(api)["Idempotent-Replayed"] == "true"
    assert Session.objects.count() == 2


def test_the_sweep_deletes_only_answers_older_than_a_day(api: Client) -> None:
    create(api, key="old")
    with time_machine.travel(timezone.now() + datetime.timedelta(hours=23)):
        create(api, key="new")
    with time_machine.travel(timezone.now() + datetime.timedelta(hours=24, seconds=1)):
        assert idempotent_responses_sweep(batch=1) == 1
    assert IdempotentResponse.objects.get().key == "new"


@pytest.mark.parametrize("key", ["", "x" * 256, "Zoë", "tab\there"])
def test_an_invalid_key_is_refused(api: Client, key: str) -> None:
    response = create(api, key=key)

    assert response.status_code == 422
    assert response.json()["error"]["param"] == "Idempotency-Key"


def test_ending_is_idempotent_too(api: Client, cast: Cast) -> None:
    session = SessionFactory.create(organization=cast.organization)
    path = f"/v1/sessions/{session.id}/end"

    first, second = create(api, body={}, path=path), create(api, body={}, path=path)

    assert second["Idempotent-Replayed"] == "true"
    assert second.content == first.content


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_of_a_running_request_waits_and_then_gets_409(
    api: Client, monkeypatch: pytest.MonkeyPatch, second_connection: Any
) -> None:
    """Another connection holds the key's lock, as a request that is still running would."""
    monkeypatch.setattr(idempotency, "LOCK_WAIT", 0.2)
    with second_connection() as other:
        _hold_lock(other, "k-1")
        response = create(api)
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "idempotency_conflict"
        assert int(response["Retry-After"]) > 0
        other.rollback()

    assert create(api).status_code == 201


def _hold_lock(other: Any, key: str) -> None:
    if connection.vendor == "sqlite":
        other.execute("BEGIN IMMEDIATE")
        return
    from kallglot_site.accounts.models import Organization

    organization = Organization.objects.get(name="Acme Support")
    other.execute(
        "SELECT pg_advisory_xact_lock(%s)", [idempotency.lock_number(organization.pk, "live", key)]
    )


def test_the_key_of_an_erased_session_replays_nothing(api: Client) -> None:
    phone = "+15551234567"
    body = {**BODY, "provider": {"phone_number": phone}}
    session_id = create(api, body=body).json()["id"]
    create(api, key="k-2", body={}, path=f"/v1/sessions/{session_id}/end")
    erased = api.delete(f"/v1/sessions/{session_id}")
    assert erased.status_code == 204

    again = create(api, body=body)
    ended_again = create(api, key="k-2", body={}, path=f"/v1/sessions/{session_id}/end")

    for answer in (again, ended_again):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "resource_not_found"
        assert phone not in answer.content.decode()
    assert Session.objects.count() == 0, "the retry makes no new session"
    assert {bytes(row.body) for row in IdempotentResponse.objects.all()} == {b""}
    assert {row.fingerprint for row in IdempotentResponse.objects.all()} == {""}
