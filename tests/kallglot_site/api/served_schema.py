"""Validates real answers with the served schema, more strictly than clients should.

The schema allows unknown properties, because additions to v1 are free. In tests a property that
the schema does not name is an error: the schema lacks something that the code returns.
"""

import copy
from typing import Any

import jsonschema
from django.test import Client

Document = dict[str, Any]


def served(client: Client) -> Document:
    """The document as clients get it."""
    document: Document = client.get("/v1/openapi.json").json()
    return document


def closed(schema: Any) -> Any:
    """A copy in which objects have no properties but those that the schema names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {name: closed(value) for name, value in schema.items()}
    if "object" in schema.get("type", ""):
        copied.setdefault("additionalProperties", False)
    return copied


def described(document: Document, method: str, path: str, status: int) -> Document:
    """How the document describes an answer: ``path`` with ``{names}``."""
    found: Document = document["paths"][path][method.lower()]["responses"][str(status)]
    return found


def assert_valid(document: Document, schema: Document, value: Any) -> None:
    """Raises if ``value`` does not fit, or has a property that the schema does not name."""
    components = copy.deepcopy(document["components"])
    components["schemas"] = closed(components["schemas"])
    whole = {**closed(schema), "components": components}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(whole, format_checker=checker).validate(value)


def assert_described(document: Document, method: str, path: str, response: Any) -> None:
    """The answer's status, headers, media type and JSON are what the document says of them."""
    answer = described(document, method, path, response.status_code)
    for name, header in answer.get("headers", {}).items():
        if "$ref" in header:
            header = document["components"]["headers"][header["$ref"].rpartition("/")[2]]
        if name not in response:
            assert not header.get("required"), f"{response.status_code} without {name}"
            continue
        value: Any = response[name]
        if header["schema"].get("type") == "integer":
            value = int(value)
        assert_valid(document, header["schema"], value)
    content = answer.get("content")
    if content is None:
        assert response.streaming or not response.content
        assert not response.streaming
        return
    media = response["Content-Type"].partition(";")[0]
    assert media in content, f"{media} is not among {list(content)}"
    if media == "application/json":
        assert_valid(document, content[media]["schema"], response.json())
