"""The URLs in responses."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from rest_framework.request import Request


def public_url(request: HttpRequest | Request | None) -> str:
    """The base URL of REST and the dashboard: the setting, else the host of the request."""
    if settings.PUBLIC_URL:
        return settings.PUBLIC_URL
    if request is None:
        return ""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return ""  # never print a host name that is not ours


def public_url_of_stream(host: str, *, secure: bool) -> str:
    """The same for a WebSocket handshake, whose Host header is ``host``."""
    if settings.PUBLIC_URL:
        return settings.PUBLIC_URL
    name, _ = split_domain_port(host)
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return ""
    return f"{'https' if secure else 'http'}://{host}"


def stream_url(request: HttpRequest | Request | None) -> str:
    """The base URL of WebSockets: the setting, else the public URL with ws or wss."""
    if settings.STREAM_URL:
        return settings.STREAM_URL
    scheme, _, rest = public_url(request).partition("://")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
