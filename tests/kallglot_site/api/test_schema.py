"""The schema, the API reference and the error page are correct, complete and self-hosted."""

import gzip
import re
from typing import Any

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import get_resolver
from openapi_spec_validator import validate

from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.api.views import openapi_schema
from kallglot_site.api.viewsets import V1ViewSet
from tests.conftest import Cast
from tests.isolation import ROWS, Row
from tests.kallglot_site.api.served_schema import assert_described, served
from tests.test_isolation import _send

pytestmark = pytest.mark.django_db


def test_the_schema_is_valid_openapi_3_1(client: Client) -> None:
    document = client.get("/v1/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "http://testserver"}]
    validate(document)


def test_every_security_scheme_that_an_operation_names_is_defined(client: Client) -> None:
    document = client.get("/v1/openapi.json").json()
    defined = set(document["components"]["securitySchemes"])
    named = {
        scheme
        for methods in document["paths"].values()
        for operation in methods.values()
        for requirement in operation["security"]
        for scheme in requirement
    }
    assert named == defined == {"bearer", "header"}


def test_the_schema_is_sent_compressed(client: Client) -> None:
    plain = client.get("/v1/openapi.json")
    packed = client.get("/v1/openapi.json", headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 5
    assert gzip.decompress(packed.content) == plain.content


def test_the_answers_of_the_api_itself_are_not_compressed(api: Client) -> None:
    answer = api.get("/v1/event_types", headers={"accept-encoding": "gzip"})
    assert len(answer.content) > 1000
    assert "Content-Encoding" not in answer


def _viewset_actions() -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []

    def walk(patterns: list[Any], prefix: str) -> None:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, route)
            elif issubclass(getattr(pattern.callback, "cls", object), V1ViewSet):
                cls = pattern.callback.cls
                found.extend((route, cls, name) for name in pattern.callback.actions.values())

    walk(get_resolver().url_patterns, "")
    return found


def test_every_action_documents_itself_and_names_its_scope() -> None:
    actions = _viewset_actions()

    undocumented = [
        f"{cls.__name__}.{name}"
        for _, cls, name in actions
        if not hasattr(getattr(cls, name), "operation")
    ]
    scopeless = [f"{cls.__name__}.{name}" for _, cls, name in actions if name not in cls.scopes]

    assert not undocumented, f"put @operation(...) (kallglot_site.api.operations) on {undocumented}"
    assert not scopeless


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": openapi_schema()["components"]}


def _path(row: Row) -> str:
    return "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", row.route)


@pytest.mark.parametrize("row", [row for row in ROWS if row.scope], ids=str)
def test_real_responses_match_the_schema(row: Row, cast: Cast, client: Client) -> None:
    document = served(client)
    path, body = row.build(cast.tenant)

    for key in (cast.key, None, cast.other_key):
        response = _send(client, row, path, body, key)
        assert_described(document, row.method, _path(row), response)


def test_each_security_scheme_lets_a_key_in(cast: Cast, client: Client) -> None:
    schemes = served(client)["components"]["securitySchemes"]
    for scheme in schemes.values():
        if scheme["type"] == "http":
            headers = {"Authorization": f"{scheme['scheme'].capitalize()} {cast.key}"}
        else:
            assert (scheme["type"], scheme["in"]) == ("apiKey", "header")
            headers = {scheme["name"]: cast.key}
        assert client.get("/v1/sessions", headers=headers).status_code == 200
    assert client.get("/v1/sessions").status_code == 401


def _untyped(schema: Any, where: str) -> list[str]:
    """The places in a schema that allow anything, apart from objects that do so on purpose."""
    if isinstance(schema, bool):
        return []
    if "$ref" in schema:
        return []
    found: list[str] = []
    kinds = schema.get("type", [])
    if not {"type", "enum", "const", "anyOf", "oneOf", "allOf"} & set(schema):
        found.append(where)
    if "object" in kinds and not {"properties", "additionalProperties"} & set(schema):
        found.append(where)
    if "array" in kinds and "items" not in schema:
        found.append(where)
    for name, below in schema.get("properties", {}).items():
        found += _untyped(below, f"{where}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            found += _untyped(schema[name], f"{where}.{name}")
    for below in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        found += _untyped(below, where)
    return found


def test_every_property_of_every_object_has_a_type(client: Client) -> None:
    schemas = served(client)["components"]["schemas"]
    untyped = [place for name, schema in schemas.items() for place in _untyped(schema, name)]
    assert not untyped


def test_every_answer_but_an_empty_one_has_a_body_in_the_schema(client: Client) -> None:
    empty = {"204", "302", "304", "416"}
    bodiless = {
        (operation["operationId"], status)
        for methods in served(client)["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if "content" not in answer and status not in empty
    }
    assert not bodiless


def test_examples_match_their_schemas() -> None:
    checked = 0
    for methods in openapi_schema()["paths"].values():
        for operation in methods.values():
            bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
            for body in bodies:
                for media in body.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        validator = jsonschema.Draft202012Validator(_resolved(media["schema"]))
                        validator.validate(example["value"])
                        checked += 1
    assert checked > 50


def test_every_code_is_in_the_schema_and_on_the_error_page(client: Client) -> None:
    page = client.get("/errors").content.decode()

    for code in ERROR_CODES:
        assert f'id="{code}"' in page
    assert (
        list(ERROR_CODES)
        == (
            openapi_schema()["components"]["schemas"]["Error"]["properties"]["error"]["properties"][
                "code"
            ]["enum"]
        )
    )


def test_doc_url_leads_to_the_entry(api: Client) -> None:
    url = api.get("/v1/nothing").json()["error"]["doc_url"]

    page, _, code = url.removeprefix("http://testserver").partition("#")
    assert f'id="{code}"' in api.get(page).content.decode()


def test_the_reference_loads_nothing_from_other_hosts(client: Client) -> None:
    response = client.get("/v1/docs")
    page = response.content.decode()

    assert response.status_code == 200
    addresses = re.findall(r'(?:src|href|data-schema)="([^"]*)"', page)
    assert addresses
    for address in addresses:
        assert address.startswith("/")
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/"))
    assert "<script>" not in page
    assert "style=" not in page
    assert "'unsafe-inline'" not in response["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs"])
def test_documents_need_no_key_and_refuse_post(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
    refused = client.post(path)
    assert refused.status_code == 405
    assert refused.json()["error"]["code"] == "method_not_allowed"
