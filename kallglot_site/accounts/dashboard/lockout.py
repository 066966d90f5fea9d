"""Whom django-axes counts wrong passwords against, and from how many on it locks.

Few for one email from one address. Many more, of whatever emails, for an address: it may be that
of a whole office, and whoever signs in takes their own failures off the count.
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
"""Bits of an IPv6 address that tell one customer of a provider from another. Each has the rest."""


def username(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """The email as typed, without regard to case: ANA@ and ana@ are one person's tries."""
    typed = (credentials or {}).get("username") or ""
    if not typed and request is not None:
        typed = request.POST.get("username", "")
    return str(typed).strip().lower()


def address(request: HttpRequest) -> str | None:
    """The client's, which trusted proxies have told by now; of IPv6 its network. None: unknown."""
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
    """Counts in the database, for all processes."""

    def get_failures(self, request: Any, credentials: Mapping[str, Any] | None = None) -> int:
        """As many as lock if the address is locked, whatever the email."""
        failures: int = super().get_failures(request, credentials)
        if failures < settings.AXES_FAILURE_LIMIT and _is_locked_as_a_whole(request):
            request.is_address_locked = True  # for the page that says so
            return int(settings.AXES_FAILURE_LIMIT)
        return failures


def _is_locked_as_a_whole(request: Any) -> bool:
    if request.axes_ip_address is None:
        return False
    attempts = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    failures = attempts.aggregate(Sum("failures_since_start"))["failures_since_start__sum"] or 0
    return bool(failures >= settings.SIGN_IN_FAILURES_PER_ADDRESS)
