"""The error envelope. Domain errors carry their error code; one handler renders all of them."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core import exceptions as django_errors
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf_errors
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.api.error_codes import ERROR_CODES, ErrorCode
from kallglot_site.api.links import public_url
from kallglot_site.executors import ExecutorFull

__all__ = ["ERROR_CODES", "ApiError", "ErrorCode", "NotFound", "exception_handler"]

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A domain error with its error code.

    Apps' ``errors.py`` derive from it with ``code`` set; ``message`` says what is wrong and what is
    allowed, ``param`` names the field at fault, ``headers`` go out with the response.
    """

    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.message = message
        self.param = param
        self.headers = headers or {}

    @property
    def status(self) -> int:
        return ERROR_CODES[self.code].status


class NotFound(ApiError):
    """For unknown, malformed and foreign ids: the answer is the same, so it reveals nothing."""

    code = "resource_not_found"

    def __init__(self, kind: str = "object") -> None:
        super().__init__(f"There is no such {kind}.")


class InvalidFieldValue(ApiError):
    code = "invalid_field_value"


class UnknownField(ApiError):
    code = "unknown_field"


def envelope(error: ApiError, request: HttpRequest | Request | None) -> dict[str, Any]:
    """The body of every error response."""
    return {
        "error": {
            "type": ERROR_CODES[error.code].type,
            "code": error.code,
            "message": error.message,
            "param": error.param[:100] if error.param else None,
            "doc_url": f"{public_url(request)}/errors#{error.code}",
            "request_id": getattr(request, "request_id", None),
        }
    }


def error_headers(error: ApiError) -> dict[str, str]:
    headers = dict(error.headers)
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="Kallglot API"')
    if error.status in {429, 503}:
        headers.setdefault("Retry-After", "1")
    return headers


def error_response(error: ApiError, request: HttpRequest) -> JsonResponse:
    """The envelope for errors outside of a view: unknown routes, requests that Django refuses."""
    return JsonResponse(envelope(error, request), status=error.status, headers=error_headers(error))


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Any exception of a v1 view, in the envelope. An unexpected one is a 500 and is logged."""
    request = context.get("request")
    error = _api_error(exception)
    if error is None:
        # The traceback goes to the log only, where the request id finds it.
        logger.error("unhandled %s in a v1 view", type(exception).__name__, exc_info=exception)
        error = ApiError(
            "The server made an error and logged it. Quote `request_id` when you report it."
        )
    return Response(envelope(error, request), status=error.status, headers=error_headers(error))


def _api_error(exception: Exception) -> ApiError | None:
    if isinstance(exception, ApiError):
        return exception
    if isinstance(exception, drf_errors.ValidationError):
        return _from_validation(exception)
    if isinstance(exception, drf_errors.MethodNotAllowed):
        return ApiError(str(exception.detail), code="method_not_allowed")
    if isinstance(exception, Http404 | drf_errors.NotFound):
        return NotFound()
    if isinstance(exception, RequestDataTooBig):
        return ApiError(
            "The request body is larger than the server accepts.", code="body_too_large"
        )
    if isinstance(exception, OperationalError):
        logger.warning("database unavailable", exc_info=exception)
        return ApiError(
            "The database is busy or does not answer. Repeat the request.",
            code="service_unavailable",
        )
    if isinstance(exception, ExecutorFull):
        logger.warning("too many requests wait for: %s", exception)
        return ApiError(
            "Too many requests wait for a service. Repeat the request.", code="service_unavailable"
        )
    for kind, code in _BY_KIND.items():
        if isinstance(exception, kind):
            return ApiError(str(getattr(exception, "detail", exception)), code=code)
    return None


_BY_KIND: dict[type[Exception], str] = {
    drf_errors.NotAuthenticated: "missing_api_key",
    drf_errors.AuthenticationFailed: "invalid_api_key",
    drf_errors.PermissionDenied: "insufficient_permissions",
    drf_errors.UnsupportedMediaType: "unsupported_media_type",
    drf_errors.ParseError: "invalid_json",
    drf_errors.Throttled: "rate_limit_exceeded",
    django_errors.PermissionDenied: "insufficient_permissions",
    django_errors.BadRequest: "invalid_request",
    django_errors.SuspiciousOperation: "invalid_request",
}

_VALIDATION_CODES = {"required": "missing_required_field", "unknown": "unknown_field"}


def _from_validation(exception: drf_errors.ValidationError) -> ApiError:
    """The first of the errors, because the envelope has room for one ``param``."""
    path, detail = next(_faults(exception.detail))
    code = _VALIDATION_CODES.get(detail.code or "", detail.code)
    return ApiError(
        str(detail),
        code=code if code in ERROR_CODES else "invalid_field_value",
        param=path or None,
    )


def _faults(detail: Any, path: str = "") -> Iterator[tuple[str, drf_errors.ErrorDetail]]:
    """Each error with its dotted path; ``non_field_errors`` get the path of their object."""
    if isinstance(detail, drf_errors.ErrorDetail):
        yield path, detail
    elif isinstance(detail, list):
        for item in detail:
            yield from _faults(item, path)
    elif isinstance(detail, dict):
        for name, below in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            yield from _faults(below, ".".join(part for part in (path, step) if part))
