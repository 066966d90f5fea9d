"""The first page after signing in: what is going on, and what needs a person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kallglot_site.accounts.dashboard.access import StaffView


class OverviewView(StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "overview/overview.html")
