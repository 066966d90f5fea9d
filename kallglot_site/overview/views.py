"""The first page after signing in: live calls, figures, and what needs attention."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kallglot_site.accounts.dashboard.access import StaffView
from kallglot_site.overview.figures import figures, live_calls, needs_attention


class OverviewView(StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        tenant = self.request.tenant
        numbers = figures(tenant)
        context = {
            "figures": numbers,
            "chart": {"days": numbers.days, "modes": numbers.chart},
            "live": live_calls(tenant),
            "attention": needs_attention(tenant, admin=self.request.membership.is_admin),
        }
        return render(request, "overview/overview.html", context)


class LiveCallsView(StaffView):
    """The panel of live calls. The page requests it every few seconds."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "overview/live.html", {"live": live_calls(self.request.tenant)})
