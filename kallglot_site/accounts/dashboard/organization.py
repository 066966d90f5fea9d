"""The organization's settings, and the audit log."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from kallglot_site.accounts import selectors, two_factor
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.paging import page_of
from kallglot_site.accounts.members import (
    organization_listen_in_set,
    organization_rename,
    organization_two_factor_require,
)
from kallglot_site.accounts.models import ListenIn, Organization

# Settings pages of other apps, by URL name.
SECTIONS = (
    ("recordings:policy", "Recordings", "How long audio is stored.", "volume-2"),
    ("analysis:policy", "Analysis", "Automatic analyses and compliance checks.", "shield"),
)


class OrganizationForm(forms.Form):
    name = forms.CharField(max_length=200)
    listen_in = forms.ChoiceField(
        label="Who may listen in on live calls",
        choices=ListenIn,
        help_text="The audit log records who listened in, and when.",
    )


class SettingsView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        organization = self.request.tenant.organization
        data = {"name": organization.name, "listen_in": organization.listen_in}
        return self._page(OrganizationForm(data))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OrganizationForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        self._save(self.request.tenant.organization, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("dashboard:settings")

    @transaction.atomic
    def _save(self, organization: Organization, *, name: str, listen_in: str) -> None:
        if name != (before := organization.name):
            organization_rename(organization=organization, name=name)
            audit(self.request, "organization.renamed", organization.id, f"from {before}")
        if listen_in != organization.listen_in:
            organization_listen_in_set(organization=organization, allowed=listen_in)
            audit(
                self.request, "organization.listen_in_changed", organization.id, f"to {listen_in}"
            )

    def _page(self, form: OrganizationForm, status: int = 200) -> HttpResponse:
        sections = []
        for name, label, text, sign in SECTIONS:
            try:
                sections.append({"url": reverse(name), "label": label, "text": text, "icon": sign})
            except NoReverseMatch:
                continue
        people = selectors.member_list(organization=self.request.tenant.organization)
        context = {
            "form": form,
            "sections": sections,
            "people": people.count(),
            "people_with_two_factor": people.filter(user__two_factor__isnull=False).count(),
        }
        return render(self.request, "accounts/settings.html", context, status=status)


class TwoFactorRequirementView(AdminRequired, StaffView):
    """Whether members need a second factor. An admin who requires it must have one."""

    def post(self, request: HttpRequest) -> HttpResponse:
        required = request.POST.get("required") == "yes"
        organization = self.request.tenant.organization
        if required and not two_factor.is_on(self.request.user):
            messages.error(
                request, "Set up your own two-factor authentication first, under Your account."
            )
        elif required != organization.requires_two_factor:
            with transaction.atomic():
                organization_two_factor_require(organization=organization, required=required)
                action = "two_factor_required" if required else "two_factor_optional"
                audit(self.request, f"organization.{action}", organization.id)
            messages.success(request, "Saved.")
        return redirect("dashboard:settings")


class AuditView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        entries = selectors.audit_list(organization=self.request.tenant.organization)
        page = page_of(request, entries, prefix="aud")
        return render(request, "accounts/audit.html", {"page": page})
