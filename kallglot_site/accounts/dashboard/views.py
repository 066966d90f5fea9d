"""Switching organization and environment, and the page of one's own account."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from kallglot_site.accounts.dashboard.access import (
    ENVIRONMENT_KEY,
    ORGANIZATION_KEY,
    StaffView,
)
from kallglot_site.accounts.models import Environment
from kallglot_site.accounts.selectors import two_factor_of


class SwitchView(StaffView):
    """Switches the organization and environment that pages show."""

    works_while_suspended = True
    needs_second_factor = False  # to switch to an organization that requires none

    def post(self, request: HttpRequest) -> HttpResponse:
        organization = request.POST.get("organization")
        if organization in {m.organization_id for m in self.request.memberships}:
            request.session[ORGANIZATION_KEY] = organization
        environment = request.POST.get("environment")
        if environment in Environment.values:
            request.session[ENVIRONMENT_KEY] = environment
        return HttpResponseRedirect(_page_to_return_to(request))


def _page_to_return_to(request: HttpRequest) -> str:
    """The list of the current page: an object exists in one environment only.

    With ``exact`` the page itself: the person switched in order to open it.
    """
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return "/dashboard/"
    if "exact" in request.POST:
        return target
    section = target.split("?")[0].strip("/").split("/")[:2]
    return "/" + "/".join(section) + ("/" if len(section) == 1 else "")


class ProfileView(StaffView):
    """One's own account: the password, and a link to the second factor."""

    works_while_suspended = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(PasswordChangeForm(self.request.user))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PasswordChangeForm(self.request.user, request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        update_session_auth_hash(request, form.save())
        messages.success(request, "Your password was changed. Other devices are signed out.")
        return redirect("dashboard:profile")

    def _page(self, form: Any, status: int = 200) -> HttpResponse:
        context = {"form": form, "two_factor": two_factor_of(self.request.user)}
        return render(self.request, "accounts/profile.html", context, status=status)
