"""The addresses that responses print."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from rest_framework.request import Request


def public_url(request: HttpRequest | Request | None) -> str:
    """Where REST and the dashboard are reached: as set, else as the request came."""
    if settings.PUBLIC_URL:
        return settings.PUBLIC_URL
    if request is None:
        return ""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return ""  # a host name that we do not serve is not repeated


def public_url_of_stream(host: str, *, secure: bool) -> str:
    """The same for a WebSocket, which came to ``host`` (its header)."""
    if settings.PUBLIC_URL:
        return settings.PUBLIC_URL
    name, _ = split_domain_port(host)
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return ""
    return f"{'https' if secure else 'http'}://{host}"


def stream_url(request: HttpRequest | Request | None) -> str:
    """Where the WebSocket is reached: as set, else the public address with ws or wss."""
    if settings.STREAM_URL:
        return settings.STREAM_URL
    scheme, _, rest = public_url(request).partition("://")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
