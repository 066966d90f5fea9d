"""People of the organization: roles, invitations by link, reset links, leaving."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views import View

from kallglot_site.accounts import members, selectors, two_factor
from kallglot_site.accounts.dashboard.access import ORGANIZATION_KEY, AdminRequired, StaffView
from kallglot_site.accounts.dashboard.awaiting import BACKEND
from kallglot_site.accounts.dashboard.middleware import secret_link_protect
from kallglot_site.accounts.dashboard.recording import audit
from kallglot_site.accounts.errors import AccountsError, InvitationClosed
from kallglot_site.accounts.models import Membership, User

BEYOND = "This account reaches beyond your organization: only operators reset it."


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
            messages.error(request, BEYOND)
            return redirect("dashboard:members")
        user = membership.user
        audit(self.request, "member.reset_link_made", user.email)
        path = reverse(
            "password_reset_confirm",
            args=[
                urlsafe_base64_encode(force_bytes(user.pk)),
                default_token_generator.make_token(user),
            ],
        )
        return self._page(
            InviteForm(),
            link=_absolute(request, path),
            link_heading=f"New password for {user.email}",
            link_text="Send this link. Whoever opens it can set the password, once.",
        )


class MemberTwoFactorResetView(AdminRequired, StaffView):
    """For somebody whose phone and recovery codes are gone: the password alone is asked again."""

    def post(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        membership = _member(self, membership_id)
        user = membership.user
        if user == self.request.user:
            messages.error(request, "Your own is turned off under Your account.")
        elif not members.account_may_be_reset_by_admin(membership):
            messages.error(request, BEYOND)
        elif two_factor.two_factor_disable(user=user, actor=self.request.user):
            messages.success(request, f"{user.email} signs in with the password alone now.")
        return redirect("dashboard:members")


class InvitationWithdrawView(AdminRequired, StaffView):
    works_while_suspended = True

    def post(self, request: HttpRequest, invitation_id: str) -> HttpResponse:
        invitation = selectors.invitation_get(
            organization=self.request.tenant.organization, invitation_id=invitation_id
        )
        with transaction.atomic():
            invitation.delete()
            audit(self.request, "invitation.withdrawn", invitation.email)
        messages.success(request, "The link no longer works.")
        return redirect("dashboard:members")


def _member(view: StaffView, membership_id: int) -> Membership:
    return selectors.member_get(
        organization=view.request.tenant.organization, membership_id=membership_id
    )


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label="Choose a password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
        help_text="At least 8 characters, and not one that everybody uses.",
    )

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password)
        return password


class InvitationView(View):
    """Where an invitation's link leads: join as who you are, or make your account."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(token, NewPasswordForm())

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        form = NewPasswordForm(request.POST)
        user = request.user if isinstance(request.user, User) else None
        if user is None and not form.is_valid():
            return self._page(token, form, status=422)
        try:
            membership = members.invitation_accept(
                token=token, user=user, password=None if user else form.cleaned_data["password"]
            )
        except AccountsError as error:
            return self._page(token, form, status=409, problem=error.message)
        if user is None:
            login(request, membership.user, BACKEND)
        request.session[ORGANIZATION_KEY] = membership.organization_id
        messages.success(request, f"Welcome to {membership.organization.name}.")
        return redirect("dashboard:overview")

    def _page(
        self, token: str, form: NewPasswordForm, status: int = 200, **extra: Any
    ) -> HttpResponse:
        try:
            invitation = members.invitation_find(token)
        except InvitationClosed as error:
            closed = {"problem": error.message}
            return render(self.request, "accounts/invitation.html", closed, status=404)
        known = User.objects.filter(email__iexact=invitation.email).exists()
        context = {"invitation": invitation, "form": form, "known": known, **extra}
        response = render(self.request, "accounts/invitation.html", context, status=status)
        secret_link_protect(response)
        return response
