"""What django-axes counts wrong passwords by, and the limits at which it locks.

A low limit for one email from one address. A much higher one for an address with all emails: it may
belong to a whole office. Signing in removes one's own failures from that count.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

NETWORK: Final = 64
"""Prefix length of an IPv6 network that a provider assigns to one customer."""


def username(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """The typed email in lower case: ANA@ and ana@ are counted together."""
    typed = (credentials or {}).get("username") or ""
    if not typed and request is not None:
        typed = request.POST.get("username", "")
    return str(typed).strip().lower()


def address(request: HttpRequest) -> str | None:
    """The client's address, as trusted proxies forward it; for IPv6 the network. None: unknown."""
    try:
        parsed = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), NETWORK), strict=False).network_address)


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes is untyped
    """Counts in the database, so that all processes share it."""

    def get_failures(self, request: Any, credentials: Mapping[str, Any] | None = None) -> int:
        """At least the limit if the address is locked, for any email."""
        failures: int = super().get_failures(request, credentials)
        if failures < settings.AXES_FAILURE_LIMIT and _is_address_locked(request):
            request.is_address_locked = True  # for the page that explains it
            return int(settings.AXES_FAILURE_LIMIT)
        return failures


def _is_address_locked(request: Any) -> bool:
    if request.axes_ip_address is None:
        return False
    attempts = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    failures = attempts.aggregate(Sum("failures_since_start"))["failures_since_start__sum"] or 0
    return bool(failures >= settings.SIGN_IN_FAILURES_PER_ADDRESS)
