"""For every page: a strict content security policy, and times in the reader's time zone."""

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
    """No inline script, no inline style, nothing from other hosts, no framing.

    The audio player adds a ``<style>`` element in its shadow root: its page passes
    ``request.csp_nonce`` to it. Other pages get a policy without a nonce. A view that needs another
    policy sets the header itself.
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
    """For a page whose address is a secret: browsers send its path nowhere and do not cache it.

    The policy is not ``no-referrer``: browsers would then send ``Origin: null`` with the page's
    form, and the CSRF check refuses that.
    """
    response["Referrer-Policy"] = "strict-origin"
    response["Cache-Control"] = "private, no-store"


def _stream_source() -> str:
    """The host that calls are streamed to, if it is not the page's."""
    return f" {settings.STREAM_URL}" if settings.STREAM_URL else ""


class Nonce:
    """A random value, made when a template first prints it."""

    def __init__(self) -> None:
        self.value = ""

    def __str__(self) -> str:
        self.value = self.value or secrets.token_urlsafe(18)
        return self.value


class TimeZoneMiddleware:
    """Shows times in the zone of the browser's ``tz`` cookie, else in the installation's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = _zone(request.COOKIES.get("tz", ""))
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    """None for anything but the name of a known zone."""
    if not name or len(name) > 64:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
