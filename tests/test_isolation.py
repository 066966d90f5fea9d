"""Tenant isolation for every v1 route, method and role (rows in ``isolation.py``)."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey, Scope
from kallglot_site.accounts.services import api_key_create, api_key_revoke
from kallglot_site.api.ids import new_id
from tests.conftest import Cast
from tests.isolation import ROWS, Row

KEYED = [row for row in ROWS if row.scope is not None]
WITH_ID = [row for row in KEYED if row.id_in_path]

every_keyed_row = pytest.mark.parametrize("row", KEYED, ids=str)
every_row_with_an_id = pytest.mark.parametrize("row", WITH_ID, ids=str)


def _routes() -> Iterator[tuple[str, str]]:
    """Every (method, route) under /v1 in the URL configuration."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, str]]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern) and route.startswith("v1/"):
                actions = getattr(pattern.callback, "actions", None)
                methods = actions or getattr(pattern.callback, "isolation_methods", {"get": ""})
                if not str(pattern.pattern).startswith("^"):  # the catch-all
                    yield from ((m.upper(), route) for m in methods if m != "head")

    return walk(get_resolver().url_patterns, "")


def _send(
    client: Client, row: Row, path: str, body: dict[str, Any] | None, key: str | None
) -> HttpResponse:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = "" if body is None else body
    response: Any = client.generic(
        row.method,
        path,
        data if isinstance(data, str) else json.dumps(data),
        content_type="application/json",
        headers=headers,
    )
    return response  # type: ignore[no-any-return]  # the test client's response


def _error(response: HttpResponse) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]  # type: ignore[attr-defined]
    return error


def test_every_route_has_a_row() -> None:
    missing = sorted(set(_routes()) - {(row.method, row.route) for row in ROWS})
    stale = sorted({(row.method, row.route) for row in ROWS} - set(_routes()))

    assert not missing, (
        f"These v1 routes have no row in tests/isolation.py: {missing}. Add to ROWS, for each, "
        "Row(method, route, scope, build): build(tenant) makes the object in that tenant and "
        "returns (path, body) of a request that succeeds for its own key."
    )
    assert not stale, f"These rows in tests/isolation.py have no route any more: {stale}"


@every_keyed_row
def test_the_tenants_own_request_succeeds(row: Row, cast: Cast, client: Client) -> None:
    path, body = row.build(cast.tenant)

    response = _send(client, row, path, body, cast.key)

    assert response.status_code == row.success, response.content
    assert response["X-RateLimit-Limit"]
    assert response["X-Request-ID"].startswith("req_")


@every_keyed_row
def test_no_other_scope_is_needed(row: Row, cast: Cast, client: Client) -> None:
    _, key = api_key_create(tenant=cast.tenant, name="narrow", scopes=[str(row.scope)])
    path, body = row.build(cast.tenant)

    assert _send(client, row, path, body, key).status_code == row.success


@every_row_with_an_id
@pytest.mark.parametrize("role", ["another organization", "the other environment"])
def test_objects_of_other_tenants_are_not_found(
    row: Row, role: str, cast: Cast, client: Client
) -> None:
    path, body = row.build(cast.tenant)
    key = cast.other_key if role == "another organization" else cast.test_key
    object_id = next(
        part
        for part in path.partition("?")[0].split("/")
        if "_" in part and part.partition("_")[2].isalnum() and len(part) > 26
    )
    unknown = path.replace(object_id, new_id(object_id.partition("_")[0]))
    malformed = path.replace(object_id, "nonsense")

    foreign, never_was, nonsense = (
        _send(client, row, each, body, key) for each in (path, unknown, malformed)
    )

    assert foreign.status_code == 404
    assert _without_request_id(foreign) == _without_request_id(never_was)
    assert _without_request_id(foreign) == _without_request_id(nonsense)
    assert _send(client, row, path, body, cast.key).status_code == row.success


def _without_request_id(response: HttpResponse) -> dict[str, Any]:
    return {name: value for name, value in _error(response).items() if name != "request_id"}


@pytest.mark.parametrize(
    "row", [r for r in KEYED if r.method == "GET" and not r.id_in_path], ids=str
)
def test_lists_contain_nothing_of_other_tenants(row: Row, cast: Cast, client: Client) -> None:
    """Each list is requested with other tenants' keys after all rows have created their objects."""
    for other in ROWS:
        other.build(cast.tenant)
    path, body = row.build(cast.tenant)

    for key in (cast.other_key, cast.test_key):
        response = _send(client, row, path, body, key)
        text = response.content.decode()
        assert response.status_code == 200
        for prefix in ("sess_", "rec_", "ana_", "wh_", "evt_", "whd_", "seg_", "agt_", "kb_"):
            assert prefix not in text


@every_keyed_row
def test_a_key_without_the_scope_is_refused_with_its_name(
    row: Row, cast: Cast, client: Client
) -> None:
    others = [scope for scope in Scope.values if scope != row.scope]
    _, key = api_key_create(tenant=cast.tenant, name="narrow", scopes=others)
    path, body = row.build(cast.tenant)

    response = _send(client, row, path, body, key)

    assert response.status_code == 403
    assert _error(response)["code"] == "insufficient_permissions"
    assert str(row.scope) in _error(response)["message"]


@every_keyed_row
def test_revoked_expired_unknown_and_missing_keys_are_refused(
    row: Row, cast: Cast, client: Client
) -> None:
    path, body = row.build(cast.tenant)
    revoked, revoked_secret = api_key_create(tenant=cast.tenant, name="revoked")
    api_key_revoke(api_key=revoked)
    expired, expired_secret = api_key_create(tenant=cast.tenant, name="expired")
    ApiKey.objects.filter(pk=expired.pk).update(
        expires_at=timezone.now() - datetime.timedelta(seconds=1)
    )
    wrong = cast.key[:-1] + ("0" if cast.key[-1] != "0" else "1")

    codes = {
        secret: (_send(client, row, path, body, secret))
        for secret in (revoked_secret, expired_secret, wrong, None)
    }

    assert [response.status_code for response in codes.values()] == [401] * 4
    assert [_error(response)["code"] for response in codes.values()] == [
        "revoked_api_key",
        "expired_api_key",
        "invalid_api_key",
        "missing_api_key",
    ]


@every_keyed_row
def test_a_suspended_organization_is_refused(row: Row, cast: Cast, client: Client) -> None:
    path, body = row.build(cast.tenant)
    cast.organization.suspended_at = timezone.now()
    cast.organization.save()

    response = _send(client, row, path, body, cast.key)

    assert response.status_code == 403
    assert _error(response)["code"] == "organization_suspended"


@every_keyed_row
def test_a_key_in_the_query_string_is_ignored(row: Row, cast: Cast, client: Client) -> None:
    path, body = row.build(cast.tenant)

    response = _send(client, row, f"{path}?api_key={cast.key}&token={cast.key}", body, None)

    assert response.status_code == 401
    assert cast.key not in response.content.decode()
