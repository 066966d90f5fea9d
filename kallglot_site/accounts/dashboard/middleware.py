"""What every page carries: a strict content policy, and the reader's own time zone."""

import secrets
import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'{style_nonce}; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'{stream}; media-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_PERMISSIONS = "microphone=(self), camera=(), geolocation=(), payment=(), usb=()"


class ContentPolicyMiddleware:
    """No inline script, no inline style, nothing from elsewhere, no framing.

    A widget that insists on a ``<style>`` element of its own (the audio player does, in its shadow
    root) is given ``request.csp_nonce``; pages that do not ask for it get a policy without one. A
    view that needs another policy sets the header itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        nonce = Nonce()
        request.csp_nonce = nonce  # type: ignore[attr-defined]  # templates read it
        response = self.get_response(request)
        style_nonce = f" 'nonce-{nonce.value}'" if nonce.value else ""
        policy = _POLICY.format(style_nonce=style_nonce, stream=_stream_source())
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


def secret_link_protect(response: HttpResponse) -> None:
    """For a page whose address is a secret: the path is sent to nobody, and no cache keeps the page.

    The policy is not ``no-referrer``: browsers would then send ``Origin: null`` with the page's
    form, and the CSRF check refuses that.
    """
    response["Referrer-Policy"] = "strict-origin"
    response["Cache-Control"] = "private, no-store"


def _stream_source() -> str:
    """Where calls are streamed to, if that is another host than the page's."""
    return f" {settings.STREAM_URL}" if settings.STREAM_URL else ""


class Nonce:
    """A random value that exists only once somebody prints it."""

    def __init__(self) -> None:
        self.value = ""

    def __str__(self) -> str:
        self.value = self.value or secrets.token_urlsafe(18)
        return self.value


class TimeZoneMiddleware:
    """Times in the zone that the browser named in its ``tz`` cookie, else the installation's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = _zone(request.COOKIES.get("tz", ""))
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    """None for anything that is not the plain name of a known zone."""
    if not name or len(name) > 64:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
