"""What stands in front of every request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase

from kallglot_site.api.errors import ApiError, error_response
from kallglot_site.api.ids import new_id

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = new_id("req")  # type: ignore[attr-defined]  # read by the handlers
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class NullPathMiddleware:
    """No address of ours holds a null character, and databases choke on them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path:
            if not request.path.startswith("/v1/"):
                return HttpResponseBadRequest("Bad request")
            error = ApiError("The path holds a null character.", code="invalid_request")
            return error_response(error, request)
        return self.get_response(request)
