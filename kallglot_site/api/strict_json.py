"""Strict JSON for every request body.

orjson checks grammar, UTF-8, surrogates and number ranges. Duplicate names, null characters and
deep nesting are checked here, without recursion, so that no body can exhaust the stack. Bodies with
objects are parsed a second time to find duplicate names, because orjson (like msgspec and pydantic)
keeps the last one and reports nothing.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from kallglot_site.api.errors import ApiError

MAX_BODY = 256 * 1024  # bytes; the largest valid session with metadata takes 30 KB
MAX_DEPTH = 32


class InvalidJSON(ApiError):
    code = "invalid_json"


class BodyTooLarge(ApiError):
    code = "body_too_large"


class UnsupportedMediaType(ApiError):
    code = "unsupported_media_type"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_limited(stream: _Readable, declared: str | None, limit: int = MAX_BODY) -> bytes:
    """The body. Raises BodyTooLarge before more than ``limit`` bytes are in memory.

    ``declared`` is Content-Length, checked before reading; the bytes read are counted too.
    """
    too_large = BodyTooLarge(f"The request body may have at most {limit // 1024} KiB.")
    if declared and declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    while chunk := stream.read(limit + 1 - len(body)):
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def check_content_type(content_type: str, content_encoding: str = "") -> None:
    """Raises UnsupportedMediaType unless the body is plain JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset")]
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as `Content-Type: application/json`.")
    if any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise UnsupportedMediaType("Send the body in UTF-8: no other charset is allowed for JSON.")
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def loads(body: bytes) -> Any:
    """The value of a JSON text. Raises InvalidJSON, and nothing else, on any other bytes."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJSON(f"The body is not valid JSON: {error}.") from None
    _check_tree(value)
    if b"{" in body:
        # Only the slower standard parser reports every name of an object. It is safe to use here,
        # because depth and numbers have been checked.
        json.loads(
            body, object_pairs_hook=_refuse_repeated_names, parse_int=_zero, parse_float=_zero
        )
    return value


def _zero(digits: str) -> int:
    return 0


def _check_tree(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _refuse_null(item)
            elif isinstance(item, dict):
                for name in item:
                    _refuse_null(name)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise InvalidJSON(f"The body is nested deeper than the allowed {MAX_DEPTH} levels.")


def _refuse_null(text: str) -> None:
    if "\0" in text:
        raise InvalidJSON("The body contains a null character (\\u0000), which is not allowed.")


def _refuse_repeated_names(pairs: Sequence[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add() in the condition
        raise InvalidJSON(f"The body has the name {repeated[:100]!r} twice in one object.")
