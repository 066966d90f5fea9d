"""Middleware of every request: its id, the client's address, compression, null characters."""

import functools
import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

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


class ProxyMiddleware:
    """Uses X-Forwarded-For and -Proto of trusted proxies, and removes them otherwise.

    Afterwards REMOTE_ADDR is the last address in the list that is not a trusted proxy. A client
    cannot forge it, because addresses that the client sends itself are further left.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        forwarded = request.META.pop("HTTP_X_FORWARDED_FOR", None)
        trusted = _trusted_proxies(tuple(settings.TRUSTED_PROXIES))
        if trusted and _is_in(request.META.get("REMOTE_ADDR", ""), trusted):
            hops = [hop.strip() for hop in (forwarded or "").split(",") if hop.strip()]
            while hops and _is_in(request.META["REMOTE_ADDR"], trusted):
                request.META["REMOTE_ADDR"] = _address(hops.pop())
        else:
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return self.get_response(request)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@functools.cache
def _trusted_proxies(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def _address(hop: str) -> str:
    """``hop`` without a port, or "invalid", so that no text of a client reaches the logs."""
    host = hop.partition("]")[0].lstrip("[") if hop.startswith("[") else hop
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "invalid"


class PublicCompressionMiddleware(GZipMiddleware):
    """Compresses static files and the API's schema, which are the same for everybody.

    Other responses are not compressed: their size could reveal secrets in them (BREACH).
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        content = response.headers.get("Content-Type", "")
        if (
            request.path.startswith(("/static/", "/v1/openapi.json"))
            and response.status_code == 200
            and content.startswith(_COMPRESSIBLE)
        ):
            return super().process_response(request, response)  # type: ignore[arg-type,no-any-return,unused-ignore]  # stubs say HttpResponse
        return response


_COMPRESSIBLE = ("text/", "application/json", "application/javascript", "image/svg+xml")


class NullPathMiddleware:
    """Refuses null characters in paths: no route has one, and queries with one fail."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path:
            if not request.path.startswith("/v1"):
                return HttpResponseBadRequest("Bad request")
            error = ApiError(
                "The path contains a null character, which is not allowed.", code="invalid_request"
            )
            return error_response(error, request)
        return self.get_response(request)
