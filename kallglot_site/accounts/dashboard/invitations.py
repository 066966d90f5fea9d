"""Invitations: the page that an invitation's link opens, and withdrawing one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from kallglot_site.accounts import members, selectors
from kallglot_site.accounts.dashboard.access import ORGANIZATION_KEY, AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.middleware import secret_link_protect
from kallglot_site.accounts.dashboard.pending_sign_in import BACKEND
from kallglot_site.accounts.errors import AccountsError, InvitationClosed
from kallglot_site.accounts.models import User


class InvitationWithdrawView(AdminRequired, StaffView):
    works_while_suspended = True

    def post(self, request: HttpRequest, invitation_id: str) -> HttpResponse:
        invitation = selectors.invitation_get(
            organization=self.request.tenant.organization, invitation_id=invitation_id
        )
        with transaction.atomic():
            invitation.delete()
            audit(self.request, "invitation.withdrawn", invitation.email)
        messages.success(request, "The invitation was withdrawn. Its link no longer works.")
        return redirect("dashboard:members")


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label="Choose a password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
        help_text="At least 8 characters, and not a common password.",
    )

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password)
        return password


class InvitationView(View):
    """Join an organization, with the account that is signed in or with a new one."""

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
