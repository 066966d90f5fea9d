"""Who may open a dashboard page, and which tenant it shows.

Every page of every app derives from ``StaffView``; pages for admins put ``AdminRequired`` first::

    class KeysView(AdminRequired, StaffView): ...

Members of a suspended organization may read everything. They may only remove access.

In a view, ``request.tenant`` is the organization and environment chosen in the navigation, and
``request.membership`` the person's role there.
"""

from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from kallglot_site.accounts.models import Environment, Membership, User
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.accounts.two_factor import may_enter
from kallglot_site.api.errors import NotFound

ORGANIZATION_KEY = "organization"
ENVIRONMENT_KEY = "environment"
_READING = {"GET", "HEAD", "OPTIONS"}


class StaffRequest(HttpRequest):
    """A request in a ``StaffView``."""

    user: User
    tenant: Tenant
    membership: Membership
    memberships: list[Membership]


def memberships_of(user: User) -> list[Membership]:
    """The person's memberships, ordered by the organization's name."""
    return list(
        Membership.objects.filter(user=user)
        .select_related("organization")
        .order_by("organization__name", "organization_id")
    )


def membership_chosen(request: HttpRequest, memberships: list[Membership]) -> Membership | None:
    """The membership chosen in the navigation, or the first. None without memberships."""
    chosen = request.session.get(ORGANIZATION_KEY)
    for membership in memberships:
        if membership.organization_id == chosen:
            return membership
    return memberships[0] if memberships else None


def environment_chosen(request: HttpRequest) -> str:
    """Live, unless the person switched to test."""
    chosen = request.session.get(ENVIRONMENT_KEY)
    return str(chosen) if chosen in Environment.values else Environment.LIVE.value


def _to_login(request: HttpRequest) -> HttpResponseBase:
    if request.headers.get("HX-Request"):
        # The login form must not replace a fragment: htmx loads the whole page instead.
        came_from = request.headers.get("HX-Current-URL", "")
        path = "/" + came_from.split("/", 3)[3] if came_from.count("/") > 2 else "/dashboard/"
        response = HttpResponse(status=401)
        response["HX-Redirect"] = f"{reverse('login')}?{urlencode({'next': path})}"
        return response
    return redirect_to_login(request.get_full_path())


def _to_two_factor(request: HttpRequest) -> HttpResponseBase:
    url = reverse("two_factor")
    if request.headers.get("HX-Request"):
        return HttpResponse(status=403, headers={"HX-Redirect": url})
    if request.method == "GET":
        url += f"?{urlencode({'next': request.get_full_path()})}"
    return HttpResponseRedirect(url)


class StaffView(View):
    """A page for signed-in members of an organization."""

    request: StaffRequest
    admin_only: ClassVar[bool] = False
    needs_second_factor: ClassVar[bool] = True  # if the organization requires one
    works_while_suspended: ClassVar[bool] = False  # for changes; reading always works

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return _to_login(request)
        memberships = memberships_of(request.user)
        membership = membership_chosen(request, memberships)
        if membership is None:
            return render(request, "accounts/no_organization.html", status=403)
        staff = cast(StaffRequest, request)
        staff.memberships = memberships
        staff.membership = membership
        staff.tenant = Tenant(membership.organization, environment_chosen(request))
        if self.needs_second_factor and not may_enter(request.user, membership.organization):
            return _to_two_factor(request)
        if self.admin_only and not membership.is_admin:
            raise PermissionDenied("This page is for admins of the organization.")
        changes = request.method not in _READING and not self.works_while_suspended
        if changes and membership.organization.is_suspended:
            return self.refuse_suspended()
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NotFound as error:
            # Selectors raise errors of the API. A page shows its 404 page.
            raise Http404(str(error)) from None
        # Pages show what people said: browsers and proxies must not store them.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    def refuse_suspended(self) -> HttpResponseBase:
        """The response to a change in a suspended organization."""
        return render(self.request, "accounts/suspended.html", status=403)


class AdminRequired:
    """Put it before ``StaffView``: reviewers get 403 for every method."""

    admin_only: ClassVar[bool] = True
