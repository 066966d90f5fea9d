"""Template context for all pages."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from kallglot_site.accounts.dashboard.access import StaffRequest
from kallglot_site.accounts.dashboard.navigation import entries_for

THEMES = ("light", "dark")


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """``theme`` ("" follows the system), and in staff views tenant, membership and navigation.

    ``is_admin`` is for showing controls only: views check permissions themselves.
    """
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    if not hasattr(request, "tenant"):
        return context
    staff = cast(StaffRequest, request)
    tenant, is_admin = staff.tenant, staff.membership.is_admin
    return context | {
        "tenant": tenant,
        "membership": staff.membership,
        "memberships": staff.memberships,
        "is_admin": is_admin,
        "suspended": tenant.organization.is_suspended,
        "navigation": SimpleLazyObject(lambda: entries_for(request, tenant, admin=False)),
        "admin_navigation": SimpleLazyObject(
            lambda: entries_for(request, tenant, admin=True) if is_admin else []
        ),
    }
