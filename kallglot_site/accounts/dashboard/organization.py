"""The organization's settings, and the log of who did what."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from kallglot_site.accounts import selectors
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.paging import page_of
from kallglot_site.accounts.dashboard.recording import audit
from kallglot_site.accounts.members import organization_rename

# Settings that belong to other apps, by the name of their page's address.
SECTIONS = (
    ("recordings:policy", "Recordings", "How long audio is kept.", "volume-2"),
    ("analysis:policy", "Analysis", "What runs after every call, and compliance checks.", "shield"),
)


class OrganizationForm(forms.Form):
    name = forms.CharField(max_length=200)


class SettingsView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(OrganizationForm({"name": self.request.tenant.organization.name}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OrganizationForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        organization = self.request.tenant.organization
        before = organization.name
        with transaction.atomic():
            organization_rename(organization=organization, name=form.cleaned_data["name"])
            audit(self.request, "organization.renamed", organization.id, f"from {before}")
        messages.success(request, "Saved.")
        return redirect("dashboard:settings")

    def _page(self, form: OrganizationForm, status: int = 200) -> HttpResponse:
        sections = []
        for name, label, text, sign in SECTIONS:
            try:
                sections.append({"url": reverse(name), "label": label, "text": text, "icon": sign})
            except NoReverseMatch:
                continue
        context = {"form": form, "sections": sections}
        return render(self.request, "accounts/settings.html", context, status=status)


class AuditView(AdminRequired, StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        entries = selectors.audit_list(organization=self.request.tenant.organization)
        page = page_of(request, entries, prefix="aud")
        return render(request, "accounts/audit.html", {"page": page})
