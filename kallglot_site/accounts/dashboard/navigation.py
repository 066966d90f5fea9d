"""The navigation: its entries, and the counts beside them.

An entry is shown only if its URL name exists. Apps add a count by registering a function from
their ``apps.py``::

    register_count("dashboard:sessions", sessions_live_label)

The function gets the tenant and returns a short label, ``""`` for none.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from kallglot_site.accounts.tenancy import Tenant


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    url_name: str
    icon: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as shown. ``count`` is "" for none; ``alarming`` counts need attention."""

    label: str
    url: str
    icon: str
    current: bool
    count: str
    alarming: bool


ENTRIES = (
    Entry("Overview", "dashboard:overview", "layout-dashboard"),
    Entry("Sessions", "dashboard:sessions", "messages-square"),
    Entry("Talk", "dashboard:talk", "mic"),
    Entry("Webhooks", "webhooks:endpoints", "webhook", admin=True),
    Entry("Events", "webhooks:events", "activity", admin=True),
    Entry("API keys", "dashboard:keys", "key-round", admin=True),
    Entry("Members", "dashboard:members", "users", admin=True),
    Entry("Settings", "dashboard:settings", "settings", admin=True),
    Entry("Audit log", "dashboard:audit", "scroll-text", admin=True),
)

_counts: dict[str, tuple[Callable[[Tenant], str], bool]] = {}


def register_count(
    url_name: str, count: Callable[[Tenant], str], *, alarming: bool = False
) -> None:
    """Show ``count(tenant)`` beside the entry. It runs on every page: use one indexed query."""
    _counts[url_name] = (count, alarming)


def entries_for(request: HttpRequest, tenant: Tenant, *, admin: bool) -> list[Shown]:
    """The entries of one part of the navigation. The current one is marked."""
    shown: list[Shown] = []
    for entry in ENTRIES:
        if entry.admin is not admin:
            continue
        try:
            url = reverse(entry.url_name)
        except NoReverseMatch:
            continue
        current = request.path == url or (url != "/dashboard/" and request.path.startswith(url))
        count, alarming = _counts.get(entry.url_name, (lambda _: "", False))
        shown.append(Shown(entry.label, url, entry.icon, current, count(tenant), alarming))
    return shown
