"""Reads request bodies with ``strict_json``, also as a parser of DRF."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from kallglot_site.api import strict_json


def request_body(request: HttpRequest) -> bytes:
    """The raw body, within the limit, with or without Content-Length. Raises BodyTooLarge."""
    if not hasattr(request, "_body"):
        declared = request.META.get("CONTENT_LENGTH") or None
        request._body = strict_json.read_limited(request, declared)
    return bytes(request.body)


def request_json(request: HttpRequest) -> Any:
    """The body's JSON value; an empty body is an empty object.

    Reads the Django request itself, because DRF ignores a body without Content-Length (chunked).
    Raises UnsupportedMediaType, BodyTooLarge, InvalidJSON.
    """
    body = request_body(request)
    if not body:
        return {}
    strict_json.check_content_type(
        request.META.get("CONTENT_TYPE", ""), request.META.get("HTTP_CONTENT_ENCODING", "")
    )
    return strict_json.loads(body)


class StrictJSONParser(BaseParser):
    """See ``strict_json``. Views based on V1ViewSet use ``self.body()`` instead."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        strict_json.check_content_type(media_type or "")
        return strict_json.loads(strict_json.read_limited(stream, None))
