"""Checks of an agent's tools: the JSON Schema of their arguments, and their URLs."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsonschema
import orjson

from sessions_app.agents.defaults import MAX_PARAMETERS
from webhooks_app.delivery.urls import LOOKUP_TIMEOUT, url_check
from webhooks_app.errors import InvalidUrl

Validator = jsonschema.Draft202012Validator
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def parameters_fault(parameters: Any) -> str | None:
    """What is wrong with the JSON Schema of a tool's arguments; None: nothing.

    It describes an object, is draft 2020-12, and refers to nothing outside of itself.
    """
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        return 'Must be a JSON Schema whose `type` is "object".'
    if len(orjson.dumps(parameters)) > MAX_PARAMETERS:
        return f"May have at most {MAX_PARAMETERS // 1024} KiB."
    try:
        Validator.check_schema(parameters)
    except jsonschema.SchemaError as error:
        place = ".".join(str(step) for step in error.absolute_path)
        where = f" at `{place[:100]}`" if place else ""
        return f"Is not a valid JSON Schema (draft 2020-12){where}: {error.message[:200]}"
    if _refers_outside(parameters):
        return (
            "May refer only to its own parts: `$ref` must begin with `#`, and `$id` and other "
            "drafts as `$schema` are not allowed."
        )
    return None


def _refers_outside(schema: Any) -> bool:
    """Whether checking arguments could load another schema, which jsonschema would do by HTTP.

    ``$id`` moves what ``#`` stands for. Other drafts name it, and ``$ref``, in other ways.
    """
    if isinstance(schema, dict):
        refers = (schema.get(name) for name in ("$ref", "$dynamicRef"))
        if any(isinstance(each, str) and not each.startswith("#") for each in refers):
            return True
        if isinstance(schema.get("$id"), str) or schema.get("$schema", _DRAFT) != _DRAFT:
            return True
        return any(_refers_outside(value) for value in schema.values())
    return isinstance(schema, list) and any(_refers_outside(item) for item in schema)


def tool_urls_check(tools: Sequence[Mapping[str, Any]]) -> None:
    """Refuse URLs that are not public. Asks the name service: call it outside of transactions.

    All names together may take as long as one: those that are slow pass, as everywhere. Raises
    InvalidUrl with the tool's place in ``param``, LookupsBusy.
    """
    deadline = time.monotonic() + LOOKUP_TIMEOUT
    for place, tool in enumerate(tools):
        if tool.get("url") is None:
            continue
        try:
            url_check(tool["url"], timeout=max(deadline - time.monotonic(), 0.0))
        except InvalidUrl as error:
            raise InvalidUrl(error.message, param=f"tools.{place}.url") from error
