"""Pages about the API itself, and answers outside of any resource, in the envelope."""

import functools
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator

from kallglot_site.api.error_codes import ErrorCode
from kallglot_site.api.errors import ERROR_CODES, ApiError, NotFound, error_response
from kallglot_site.api.links import public_url


def _is_v1(request: HttpRequest) -> bool:
    return request.path == "/v1" or request.path.startswith("/v1/")


@csrf_exempt
def unknown_route(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """Closes the v1 addresses, so that the envelope comes in debug mode too."""
    if request.path.endswith("/connect"):
        # Usually a proxy's doing, and then nothing else says what is wrong.
        message = (
            "This address takes WebSockets only, and the request came without `Upgrade: "
            "websocket`. A proxy in between may not pass that header on."
        )
        return error_response(ApiError(message, code="resource_not_found"), request)
    return error_response(NotFound("address in this API"), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_v1(request):
        message = "The request could not be read: its host name, path or headers are malformed."
        return error_response(ApiError(message, code="invalid_request"), request)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_v1(request):
        error = ApiError("This is not allowed.", code="insufficient_permissions")
        return error_response(error, request)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_v1(request):
        return error_response(NotFound("address in this API"), request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    if _is_v1(request):
        return error_response(ApiError("Something went wrong on our side."), request)
    # Without context processors: what they read may be what broke.
    return HttpResponseServerError(render_to_string("500.html", {"request": request}))


@functools.cache
def openapi_schema() -> dict[str, Any]:
    """The OpenAPI document, without servers. Code does not change while a process runs."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # untyped library
    return schema


def schema_document(request: HttpRequest) -> HttpResponseBase:
    if request.method not in {"GET", "HEAD"}:
        return _method_not_allowed(request)
    document = {**openapi_schema(), "servers": [{"url": public_url(request)}]}
    return HttpResponse(orjson.dumps(document), content_type="application/json")


def reference(request: HttpRequest) -> HttpResponseBase:
    """The schema, rendered. Everything comes from this server."""
    if request.method not in {"GET", "HEAD"}:
        return _method_not_allowed(request)
    return render(request, "api/docs.html")


def error_page(request: HttpRequest) -> HttpResponse:
    """Every error code; where ``doc_url`` leads."""
    groups: dict[str, list[ErrorCode]] = {}
    for entry in ERROR_CODES.values():
        groups.setdefault(entry.type, []).append(entry)
    return render(request, "api/errors.html", {"groups": groups.items()})


def _method_not_allowed(request: HttpRequest) -> HttpResponseBase:
    error = ApiError(
        f'Method "{request.method}" not allowed.',
        code="method_not_allowed",
        headers={"Allow": "GET, HEAD"},
    )
    return error_response(error, request)
