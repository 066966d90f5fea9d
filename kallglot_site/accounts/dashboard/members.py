"""Members of the organization: roles, invitation links, reset links, removal."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from kallglot_site.accounts import members, selectors, two_factor
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.passwords import password_reset_path
from kallglot_site.accounts.errors import AccountsError
from kallglot_site.accounts.models import Membership

SHARED_ACCOUNT = (
    "This person belongs to other organizations too, or is an operator. Ask an operator of this "
    "installation to do it."
)


class InviteForm(forms.Form):
    email = forms.EmailField()
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.REVIEWER)


class MembersView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(InviteForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = InviteForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        with transaction.atomic():
            invitation, token = members.invitation_create(
                organization=self.request.tenant.organization,
                created_by=self.request.user,
                **form.cleaned_data,
            )
            audit(self.request, "invitation.created", invitation.email, f"as {invitation.role}")
        link = _absolute(request, reverse("invitation", args=[token]))
        return self._page(
            InviteForm(),
            link=link,
            link_heading=f"Invitation for {invitation.email}",
            link_text="Send this link. It works once, for seven days, and is not shown again.",
        )

    def _page(self, form: InviteForm, status: int = 200, **extra: Any) -> HttpResponse:
        organization = self.request.tenant.organization
        context = {
            "form": form,
            "members": selectors.member_list(organization=organization),
            "invitations": selectors.invitation_list(organization=organization),
            "roles": Membership.Role.choices,
            **extra,
        }
        return render(self.request, "accounts/members.html", context, status=status)


def _absolute(request: HttpRequest, path: str) -> str:
    return (
        f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
    )


class MemberRoleView(AdminRequired, StaffView):
    def post(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        membership = _member(self, membership_id)
        role = request.POST.get("role", "")
        if role in Membership.Role.values and role != membership.role:
            try:
                with transaction.atomic():
                    members.member_role_set(membership=membership, role=role)
                    audit(self.request, "member.role_changed", membership.user.email, f"to {role}")
            except AccountsError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"{membership.user.email} is now {role}.")
        return redirect("dashboard:members")


class MemberRemoveView(AdminRequired, StaffView):
    works_while_suspended = True

    def post(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        membership = _member(self, membership_id)
        try:
            with transaction.atomic():
                members.member_remove(membership=membership)
                audit(self.request, "member.removed", membership.user.email)
        except AccountsError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"{membership.user.email} no longer has access.")
        return redirect("dashboard:members")


class MemberResetView(MembersView):
    """A link to set a new password, for installations that send no email."""

    def get(self, request: HttpRequest, membership_id: int = 0) -> HttpResponse:
        return redirect("dashboard:members")

    def post(self, request: HttpRequest, membership_id: int = 0) -> HttpResponse:
        membership = _member(self, membership_id)
        if not members.account_may_be_reset_by_admin(membership):
            messages.error(request, SHARED_ACCOUNT)
            return redirect("dashboard:members")
        user = membership.user
        audit(self.request, "member.reset_link_made", user.email)
        return self._page(
            InviteForm(),
            link=_absolute(request, password_reset_path(user)),
            link_heading=f"New password for {user.email}",
            link_text="Send this link. Whoever opens it can set the password, once, in the next "
            "three days.",
        )


class MemberTwoFactorResetView(AdminRequired, StaffView):
    """For a member who lost phone and recovery codes: the password alone is asked again."""

    def post(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        membership = _member(self, membership_id)
        user = membership.user
        if user == self.request.user:
            messages.error(request, "Turn off your own under Your account.")
        elif not members.account_may_be_reset_by_admin(membership):
            messages.error(request, SHARED_ACCOUNT)
        elif two_factor.two_factor_disable(user=user, actor=self.request.user):
            messages.success(request, f"{user.email} now signs in with the password alone.")
        return redirect("dashboard:members")


def _member(view: StaffView, membership_id: int) -> Membership:
    return selectors.member_get(
        organization=view.request.tenant.organization, membership_id=membership_id
    )
