"""The OpenAPI 3.1 schema, read from the views themselves (drf-spectacular).

A V1ViewSet provides scopes, query parameters, cursors, Idempotency-Key and the errors that follow
from these; ``@operation`` on its actions provides summaries and results. A test compares the schema
with real responses.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.text import capfirst
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from kallglot_site.accounts.models import Scope
from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.api.operations import (
    COMPONENTS,
    ID_PREFIXES,
    Answer,
    Operation,
    header,
    id_schema,
    ref,
)

_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": header(
        "Identifies this request in the logs. Quote it when you report a problem.",
        id_schema("req"),
    ),
    "X-RateLimit-Limit": header(
        "Requests that this key may make per minute on this group of endpoints.",
        {"type": "integer"},
    ),
    "X-RateLimit-Remaining": header("Requests left in this minute.", {"type": "integer"}),
    "X-RateLimit-Reset": header(
        "When the next minute begins, in Unix seconds.", {"type": "integer"}
    ),
    "Retry-After": header(
        "Seconds to wait before trying again.", {"type": "integer"}, required=False
    ),
    "WWW-Authenticate": header("How to authenticate: with a bearer token."),
    "Idempotent-Replayed": header(
        "`true` when this is the stored answer of an earlier request.",
        {"const": "true"},
        required=False,
    ),
}
_EVERYWHERE = ("X-Request-ID", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_ALWAYS = (
    "missing_api_key",
    "invalid_api_key",
    "expired_api_key",
    "revoked_api_key",
    "insufficient_permissions",
    "organization_suspended",
    "invalid_request",
    "unknown_field",
    "rate_limit_exceeded",
    "internal_error",
    "service_unavailable",
)
_WITH_BODY = (
    "invalid_json",
    "body_too_large",
    "unsupported_media_type",
    "missing_required_field",
    "invalid_field_value",
)
_WHEN_IDEMPOTENT = ("idempotency_mismatch", "idempotency_conflict", "invalid_field_value")

_BINARY = {"type": "string", "format": "binary"}

_CURSOR_HELP = {
    "starting_after": "An id of this list: the page begins with the next older object.",
    "ending_before": "An id of this list: the page ends with the next newer object.",
}


class V1Schema(AutoSchema):
    """The AutoSchema of V1ViewSet."""

    view: Any  # a V1ViewSet with its action set

    @property
    def _action(self) -> Any:
        return getattr(self.view, self.view.action or "", None)

    @property
    def _operation(self) -> Operation:
        found: Operation = self._action.operation
        return found

    def is_excluded(self) -> bool:
        return not hasattr(self._action, "operation")

    def get_operation_id(self) -> str:
        kind = type(self.view).__name__.removesuffix("ViewSet")
        words = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind).strip("_")
        return f"{words}_{self.view.action}"

    def get_summary(self) -> str:
        return self._operation.summary

    def get_description(self) -> str:  # type: ignore[override]  # as AutoSchema itself has it
        scope = self.view.scopes[self.view.action]
        return f"{self._operation.description}\n\nNeeds the scope `{scope}`.".strip()

    def get_tags(self) -> list[str]:
        return [capfirst(self.view.throttle_group)]

    def get_auth(self) -> list[dict[str, list[str]]]:
        super().get_auth()  # registers the security schemes that are named here
        scope = str(self.view.scopes[self.view.action])
        return [{"bearer": [scope]}, {"header": [scope]}]

    def get_request_serializer(self) -> Any:
        return self._operation.takes

    def get_response_serializers(self) -> Any:
        return None  # written by get_operation

    def get_filter_backends(self) -> list[Any]:
        return []

    def get_override_parameters(self) -> list[Any]:
        view, action = self.view, self.view.action
        parameters: list[Any] = []
        if action in view.queries:
            parameters.append(view.queries[action])
        if action in view.paginated:
            parameters += [
                OpenApiParameter(
                    "limit",
                    {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                    description="How many objects to return.",
                ),
                *(
                    OpenApiParameter(name, self._cursor_schema, description=text)
                    for name, text in _CURSOR_HELP.items()
                ),
            ]
        parameters += [
            OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)
            for name, text in self._operation.request_headers.items()
        ]
        if getattr(self._action, "idempotent", False):
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "pattern": "^[!-~]{1,255}$"},
                    OpenApiParameter.HEADER,
                    description="Makes a retry safe: for 24 hours, the same key and request get "
                    "the first answer again, byte for byte.",
                )
            )
        return parameters

    @property
    def _cursor_schema(self) -> dict[str, Any]:
        listed = COMPONENTS[self._operation.returns or ""]
        schema: dict[str, Any] = listed["properties"]["id"]
        return schema

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for parameter in operation.get("parameters", []):
            prefix = ID_PREFIXES.get(parameter["name"])
            if parameter["in"] == "path" and prefix:
                parameter["schema"] = id_schema(prefix)
        if self._operation.request_example is not None:
            media = operation["requestBody"]["content"]["application/json"]
            media["examples"] = {"example": {"value": self._operation.request_example}}
        if self._operation.form is not None:
            form = {"schema": self._operation.form}
            operation["requestBody"]["content"]["multipart/form-data"] = form
        operation["responses"] = {**self._successes(), **_error_responses(self._errors())}
        if self._operation.creates:
            operation["x-creates"] = self._operation.creates
        return operation

    def _successes(self) -> dict[str, Any]:
        described = self._operation
        names = list(_EVERYWHERE)
        if getattr(self._action, "idempotent", False):
            names.append("Idempotent-Replayed")
        shared = {name: _header(name) for name in names}
        first = _answer(
            Answer(described.summary, described.returns, described.media, described.headers), shared
        )
        if described.returns is not None:
            body = first["content"]["application/json"]
            if described.lists:
                body["schema"] = _list_of(body["schema"])
            if described.response_example is not None:
                body["examples"] = {"example": {"value": described.response_example}}
        also = {str(status): _answer(answer, shared) for status, answer in described.also.items()}
        return {str(described.status): first, **also}

    def _errors(self) -> list[str]:
        view, action = self.view, self.view.action
        codes = [*_ALWAYS, *self._operation.errors]
        if self._operation.takes is not None:
            codes += _WITH_BODY
        if action in view.queries or action in view.paginated:
            codes.append("invalid_field_value")
        if action in view.paginated:
            codes.append("invalid_cursor")
        if getattr(self._action, "idempotent", False):
            codes += _WHEN_IDEMPOTENT
        if self.path.count("{"):
            codes.append("resource_not_found")
        if self.method in {"POST", "PUT", "PATCH", "DELETE"}:
            codes += ["invalid_json", "body_too_large", "unsupported_media_type"]
        return sorted(set(codes))


class _StrictSerializerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # untyped library
    """Adds to the schema that unknown fields are refused."""

    target_class = "kallglot_site.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


class _ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped library
    target_class = "kallglot_site.api.authentication.ApiKeyAuthentication"
    name = ["bearer", "header"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        scopes = ", ".join(f"`{scope}`" for scope in Scope.values)
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": f"`Authorization: Bearer sk_…`. A key has scopes: {scopes}.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "The same key, for clients that cannot set `Authorization`.",
            },
        ]


def _answer(answer: Answer, shared: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with ``shared`` headers and its own."""
    described = {
        "description": answer.description,
        "headers": {**shared, **answer.headers},
    }
    content: dict[str, Any] = {}
    if answer.returns is not None:
        content["application/json"] = {"schema": ref(answer.returns)}
    for media in answer.media:
        is_text = media.startswith(("text/", "application/"))
        content[media] = {"schema": {"type": "string"} if is_text else _BINARY}
    return {**described, "content": content} if content else described


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["object", "data", "has_more", "url"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": schema},
            "has_more": {
                "type": "boolean",
                "description": "Whether more objects follow in the direction of the page.",
            },
            "url": {"type": "string", "examples": ["/v1/sessions"]},
        },
    }


def _error_responses(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(ERROR_CODES[code].status, []).append(code)
    return {str(status): _error_response(names) for status, names in sorted(by_status.items())}


def _error_response(codes: list[str]) -> dict[str, Any]:
    status = ERROR_CODES[codes[0]].status
    names = ["X-Request-ID"]
    if status in {429, 503} or "idempotency_conflict" in codes:
        names.append("Retry-After")
    if status == 401:
        names.append("WWW-Authenticate")
    schema = {
        "allOf": [
            ref("Error"),
            {"properties": {"error": {"properties": {"code": {"enum": codes}}}}},
        ]
    }
    return {
        "description": " ".join(f"`{code}`: {ERROR_CODES[code].meaning}" for code in codes),
        "headers": {name: _header(name) for name in names},
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {code: {"value": error_example(code)} for code in codes},
            }
        },
    }


def error_example(code: str) -> dict[str, Any]:
    entry = ERROR_CODES[code]
    return {
        "error": {
            "type": entry.type,
            "code": code,
            "message": entry.meaning,
            "param": None,
            "doc_url": f"https://api.kallglot.com/errors#{code}",
            "request_id": "req_01KD3M8Q2Z6V4T9X5R7W1Y0ABC",
        }
    }


_ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "code", "message", "param", "doc_url", "request_id"],
            "properties": {
                "type": {"enum": sorted({entry.type for entry in ERROR_CODES.values()})},
                "code": {"enum": list(ERROR_CODES)},
                "message": {"type": "string"},
                "param": {
                    "type": ["string", "null"],
                    "description": "The field or parameter at fault, as a dotted path.",
                },
                "doc_url": {"type": "string"},
                "request_id": id_schema("req"),
            },
        }
    },
}


def finish_schema(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """drf-spectacular's last hook: adds shared components, and links between operations.

    A link leads from an operation that creates an object to those that take its id.
    """
    components = result.setdefault("components", {})
    components["headers"] = _HEADERS
    components.setdefault("schemas", {}).update({"Error": _ERROR_SCHEMA, **COMPONENTS})
    _strip(result)
    operations = [
        operation
        for methods in result["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict)
    ]
    for operation in operations:
        parameter = operation.pop("x-creates", None)
        if parameter:
            answer = next(iter(operation["responses"].values()))
            answer["links"] = _links(parameter, operations)
    return result


def _strip(node: Any) -> None:
    """Remove the generator's internal marks."""
    if isinstance(node, dict):
        node.pop("x-spec-enum-id", None)
        for below in node.values():
            _strip(below)
    elif isinstance(node, list):
        for below in node:
            _strip(below)


def _links(parameter: str, operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {f"path.{parameter}": "$response.body#/id"},
        }
        for operation in operations
        if any(each["name"] == parameter for each in operation.get("parameters", []))
    }
