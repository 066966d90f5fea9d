"""The documentation of an action for the schema. Everything else is read from the view."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kallglot_site.api.serializers import StrictSerializer

F = TypeVar("F", bound=Callable[..., Any])

Schema = dict[str, Any]

COMPONENTS: dict[str, Schema] = {}
ID_PREFIXES: dict[str, str] = {}


def register_component(name: str, schema: Schema) -> None:
    """Publish a schema as ``#/components/schemas/<name>``. Called by ``<app>/api/schema.py``."""
    COMPONENTS[name] = schema


def register_id(parameter: str, prefix: str) -> None:
    """Set the id prefix of a path parameter: ``register_id("session_id", "sess")``."""
    ID_PREFIXES[parameter] = prefix


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def id_schema(prefix: str) -> Schema:
    return {
        "type": "string",
        "pattern": f"^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$",
        "examples": [f"{prefix}_01KD3M8Q2Z6V4T9X5R7W1Y0ABC"],
    }


def object_schema(name: str, properties: Mapping[str, Schema], **more: Any) -> Schema:
    """An object that always has all of its ``properties``. Others may be added later."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": {"object": {"const": name}, **properties},
        **more,
    }


def nullable(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"oneOf": [schema, {"type": "null"}]}


def one_of(*values: str | None) -> Schema:
    """One of a list of words, or null if None is among them."""
    return {"type": ["string", "null"] if None in values else "string", "enum": list(values)}


def header(description: str, schema: Schema | None = None, *, required: bool = True) -> Schema:
    """A header of an answer; ``required``: every such answer has it."""
    return {
        "description": description,
        "required": required,
        "schema": schema or {"type": "string"},
    }


MOMENT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "Z$",
    "examples": ["2026-03-01T12:00:00.123456Z"],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of an action. ``returns`` names a component; None means no JSON.

    ``media``: further content types, text or audio. ``headers``: those in addition to the ones of
    every answer.
    """

    description: str
    returns: str | None = None
    media: tuple[str, ...] = ()
    headers: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One action. ``returns``, ``media`` and ``headers`` are those of its first Answer.

    ``lists``: the answer is a list object of that component. ``creates``: the path parameter that
    takes the answer's id; links to other operations are made from it. ``request_headers``: headers
    that the action reads, and what for. ``form``: the schema of the ``multipart/form-data`` that it
    takes instead of JSON. ``also``: its answers with other statuses.
    """

    summary: str
    returns: str | None
    description: str = ""
    status: int = 200
    takes: type[StrictSerializer] | None = None
    form: Schema | None = None
    request_headers: Mapping[str, str] = field(default_factory=dict)
    lists: bool = False
    errors: tuple[str, ...] = ()
    creates: str | None = None
    request_example: Any = None
    response_example: Any = None
    media: tuple[str, ...] = ()
    headers: Mapping[str, Schema] = field(default_factory=dict)
    also: Mapping[int, Answer] = field(default_factory=dict)


def operation(summary: str, returns: str | None, **more: Any) -> Callable[[F], F]:
    """Document an action of a V1ViewSet. See Operation for the keywords."""

    def decorate(method: F) -> F:
        method.operation = Operation(summary, returns, **more)  # type: ignore[attr-defined]  # read by V1Schema
        return method

    return decorate
