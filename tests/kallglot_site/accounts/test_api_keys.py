"""API keys: create, list, revoke, roll, and authenticate."""

import datetime

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from kallglot_site.accounts.members import audit_record
from kallglot_site.accounts.models import ApiKey, AuditEntry
from kallglot_site.accounts.selectors import api_key_get, api_key_list
from kallglot_site.accounts.services import api_key_create, api_key_revoke, api_key_roll
from kallglot_site.api.errors import NotFound
from tests.conftest import Cast

pytestmark = pytest.mark.django_db


def status(secret: str, **headers: str) -> int:
    return Client().get("/v1/sessions", headers={"X-API-Key": secret, **headers}).status_code


def test_a_key_is_stored_only_as_a_hash_with_a_visible_prefix(cast: Cast) -> None:
    key, secret = api_key_create(tenant=cast.tenant, name="billing")

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_apikey WHERE id = %s", [key.id])
        row = [str(value) for value in cursor.fetchone()]
    assert secret.startswith(key.prefix)
    assert len(key.prefix) == len("sk_live_") + 8
    assert not any(secret in value for value in row)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["sessions:admin"]},
        {"expires_at": timezone.now() - datetime.timedelta(days=1)},
    ],
)
def test_a_key_with_invalid_values_is_refused(cast: Cast, wrong) -> None:
    with pytest.raises(ValueError, match=r"scopes|past"):
        api_key_create(tenant=cast.tenant, name="odd", **wrong)


def test_the_list_is_the_organizations_own_newest_first(cast: Cast) -> None:
    newest, _ = api_key_create(tenant=cast.tenant, name="newest")

    keys = api_key_list(organization=cast.organization)

    assert keys[0] == newest
    assert {key.organization_id for key in keys} == {cast.organization.id}
    live = api_key_list(organization=cast.organization, environment="live")
    assert {key.environment for key in live} == {"live"}


def test_a_foreign_key_cannot_be_looked_up(cast: Cast) -> None:
    foreign = ApiKey.objects.get(organization=cast.other_tenant.organization)

    with pytest.raises(NotFound):
        api_key_get(organization=cast.organization, api_key_id=foreign.id)


def test_revoking_a_key_works_at_once_and_keeps_the_first_time(cast: Cast) -> None:
    key, secret = api_key_create(tenant=cast.tenant, name="leaked")
    assert status(secret) == 200

    first = api_key_revoke(api_key=key).revoked_at
    assert status(secret) == 401
    assert api_key_revoke(api_key=key).revoked_at == first


def test_rolling_replaces_a_key(cast: Cast) -> None:
    key, old = api_key_create(tenant=cast.tenant, name="billing", scopes=["sessions:read"])

    successor, new = api_key_roll(api_key=key, created_by=cast.owner)

    assert (status(old), status(new)) == (401, 200)
    assert (successor.name, successor.scopes) == ("billing", ["sessions:read"])
    assert successor.created_by == cast.owner


def test_rolling_with_an_overlap_lets_both_work_for_a_while(cast: Cast) -> None:
    key, old = api_key_create(tenant=cast.tenant, name="billing")

    _, new = api_key_roll(api_key=key, overlap=datetime.timedelta(hours=1))

    assert (status(old), status(new)) == (200, 200)
    with time_machine.travel(timezone.now() + datetime.timedelta(hours=1, seconds=1)):
        assert (status(old), status(new)) == (401, 200)


def test_an_ended_key_cannot_be_rolled(cast: Cast) -> None:
    key, _ = api_key_create(tenant=cast.tenant, name="billing")
    api_key_revoke(api_key=key)

    with pytest.raises(ValueError, match="ended"):
        api_key_roll(api_key=key)


def test_the_last_use_of_a_key_is_stored_at_most_once_a_minute(cast: Cast) -> None:
    key, secret = api_key_create(tenant=cast.tenant, name="billing")

    def last_used() -> datetime.datetime | None:
        key.refresh_from_db()
        return key.last_used_at

    start = timezone.now()
    with time_machine.travel(start, tick=False):
        status(secret)
    with time_machine.travel(start + datetime.timedelta(seconds=59), tick=False):
        status(secret)
        assert last_used() == start
    later = start + datetime.timedelta(seconds=61)
    with time_machine.travel(later, tick=False):
        status(secret)
        assert last_used() == later


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic c2s6", "Bearer sk_live_ü", "Bearer " + "x" * 5000, "sk_live_1"],
)
def test_malformed_authorization_headers_are_refused(
    cast: Cast, header: str, client: Client
) -> None:
    response = client.get("/v1/sessions", headers={"Authorization": header})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_authorization_goes_before_x_api_key(cast: Cast) -> None:
    assert status("nonsense", Authorization=f"Bearer {cast.key}") == 200


def test_keys_made_rolled_and_revoked_are_in_the_audit_log_whoever_did_it(cast: Cast):
    key, _ = api_key_create(tenant=cast.test_tenant, name="from a command")
    successor, _ = api_key_roll(api_key=key, created_by=cast.owner)
    api_key_revoke(api_key=successor, actor=cast.owner)
    api_key_revoke(api_key=successor, actor=cast.teammate)  # changes nothing
    entries = [
        (entry.action, entry.actor_name, entry.target, entry.environment)
        for entry in AuditEntry.objects.order_by("id")
    ]
    assert entries == [
        ("api_key.created", "operator", key.id, "test"),
        ("api_key.rolled", cast.owner.email, key.id, "test"),
        ("api_key.revoked", cast.owner.email, successor.id, "test"),
    ]


def test_the_audit_log_names_an_api_key_that_changed_something(client: Client, cast: Cast):
    key = ApiKey.objects.get(organization=cast.organization, environment="live")
    audit_record(
        organization=cast.organization,
        actor=key,
        action="webhook_endpoint.created",
        target="wh_1",
        environment="live",
    )
    client.force_login(cast.owner)
    assert f"API key live ({key.prefix}…)" in client.get("/dashboard/audit").text
