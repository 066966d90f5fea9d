"""Answers outside of any resource: unknown addresses and Django's own refusals, in the envelope."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from kallglot_site.api.errors import ApiError, NotFound, error_response


def _is_v1(request: HttpRequest) -> bool:
    return request.path == "/v1" or request.path.startswith("/v1/")


@csrf_exempt
def unknown_route(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """Closes the v1 addresses, so that the envelope comes in debug mode too."""
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
    return defaults.server_error(request)
