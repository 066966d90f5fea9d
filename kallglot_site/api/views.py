"""The schema, the API reference, the error page, and errors outside of any resource."""

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
    """The catch-all of /v1, so that an unknown URL gets the error envelope in debug mode too."""
    if request.path.endswith("/connect"):
        # Usually a proxy removed the header, and no other message would say so.
        message = (
            "This URL accepts WebSockets only, and the request has no header `Upgrade: "
            "websocket`. A proxy in between may have removed it."
        )
        return error_response(ApiError(message, code="resource_not_found"), request)
    return error_response(NotFound("address in this API"), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_v1(request):
        message = "The host name, path or headers of the request are malformed."
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
        return error_response(ApiError("The server made an error."), request)
    # Without context processors, because one of them may have caused the error.
    return HttpResponseServerError(render_to_string("500.html", {"request": request}))


@functools.cache
def openapi_schema() -> dict[str, Any]:
    """The OpenAPI document without servers, cached for the life of the process."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # untyped library
    return schema


def schema_document(request: HttpRequest) -> HttpResponseBase:
    if request.method not in {"GET", "HEAD"}:
        return _method_not_allowed(request)
    document = {**openapi_schema(), "servers": [{"url": public_url(request)}]}
    return HttpResponse(orjson.dumps(document), content_type="application/json")


def reference(request: HttpRequest) -> HttpResponseBase:
    """The API reference, rendered from the schema. It loads nothing from other hosts."""
    if request.method not in {"GET", "HEAD"}:
        return _method_not_allowed(request)
    return render(request, "api/docs.html")


def error_page(request: HttpRequest) -> HttpResponse:
    """The page with every error code, which ``doc_url`` links to."""
    groups: dict[str, list[ErrorCode]] = {}
    for entry in ERROR_CODES.values():
        groups.setdefault(entry.type, []).append(entry)
    return render(request, "api/errors.html", {"groups": groups.items()})


def _method_not_allowed(request: HttpRequest) -> HttpResponseBase:
    error = ApiError(
        f'Method "{request.method}" is not allowed here. Use GET or HEAD.',
        code="method_not_allowed",
        headers={"Allow": "GET, HEAD"},
    )
    return error_response(error, request)
