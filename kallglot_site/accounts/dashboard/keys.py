"""API keys of the chosen environment: create (shown once), roll, revoke."""

import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from kallglot_site.accounts import selectors, services
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.models import ApiKey, Scope
from kallglot_site.accounts.templatetags.components import SCOPES

EXPIRIES = [("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In 1 year")]
OVERLAPS = [("0", "At once"), ("1", "In 1 hour"), ("24", "In 24 hours"), ("168", "In 7 days")]


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="The program that uses it, such as “CRM import”."
    )
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        choices=[(scope.value, f"{SCOPES[scope]} ({scope.value})") for scope in Scope],
        initial=Scope.values,
        widget=forms.CheckboxSelectMultiple,
        help_text="Select only what the program needs.",
    )
    expires_in = forms.ChoiceField(label="Expires", choices=EXPIRIES, required=False)

    def expires_at(self) -> datetime.datetime | None:
        days = self.cleaned_data["expires_in"]
        return timezone.now() + datetime.timedelta(days=int(days)) if days else None


class KeysView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(KeyForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = KeyForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422, opened=True)
        key, secret = services.api_key_create(
            tenant=self.request.tenant,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at(),
            created_by=self.request.user,
        )
        return self._page(KeyForm(), secret=secret, made=key)

    def _page(self, form: KeyForm, status: int = 200, **extra: Any) -> HttpResponse:
        tenant = self.request.tenant
        keys = selectors.api_key_list(
            organization=tenant.organization, environment=tenant.environment
        )
        now = timezone.now()
        rows = [(key, _state(key, now)) for key in keys[:200]]
        context = {"form": form, "rows": rows, "overlaps": OVERLAPS, **extra}
        return render(self.request, "accounts/keys.html", context, status=status)


def _state(key: ApiKey, now: datetime.datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


class KeyRevokeView(AdminRequired, StaffView):
    works_while_suspended = True

    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        key = _key(self.request.tenant.organization, key_id)
        services.api_key_revoke(api_key=key, actor=self.request.user)
        messages.success(request, f"“{key.name}” was revoked.")
        return redirect("dashboard:keys")


class KeyRollView(KeysView):
    """Replaces a key. The new secret is shown in the answer to the POST only."""

    def get(self, request: HttpRequest, key_id: str = "") -> HttpResponse:
        return redirect("dashboard:keys")

    def post(self, request: HttpRequest, key_id: str = "") -> HttpResponse:
        key = _key(self.request.tenant.organization, key_id)
        hours = request.POST.get("overlap", "0")
        overlap = int(hours) if hours in dict(OVERLAPS) else 0
        try:
            successor, secret = services.api_key_roll(
                api_key=key,
                overlap=datetime.timedelta(hours=overlap),
                created_by=self.request.user,
            )
        except ValueError as error:
            messages.error(request, str(error).capitalize() + ".")
            return redirect("dashboard:keys")
        return self._page(KeyForm(), secret=secret, made=successor)


def _key(organization: Any, key_id: str) -> ApiKey:
    return selectors.api_key_get(organization=organization, api_key_id=key_id)
