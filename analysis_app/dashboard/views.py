"""The analysis on a session's page, and its settings."""

import itertools
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from analysis_app import selectors, services
from analysis_app.dashboard.forms import CheckFormSet, PolicyForm, RequestForm, check_label
from analysis_app.dashboard.presentation import present
from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.models import Analysis, AnalysisPolicy
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.api.errors import ApiError
from sessions_app import selectors as session_selectors
from sessions_app.models import Segment, Session


class PanelView(StaffView):
    """The latest analysis. The panel polls while it runs. POST requests another."""

    def get(self, request: HttpRequest, session_id: str) -> HttpResponse:
        return self._panel(self._session(session_id))

    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = self._session(session_id)
        form = RequestForm(request.POST)
        if not form.is_valid():
            return self._panel(session, form=form)
        try:
            services.analysis_request(
                tenant=self.request.tenant, session=session, analyses=form.cleaned_data["analyses"]
            )
        except ApiError as error:
            return self._panel(session, problem=error.message)
        return self._panel(session)

    def _session(self, session_id: str) -> Session:
        return session_selectors.session_get(tenant=self.request.tenant, session_id=session_id)

    def _panel(
        self, session: Session, form: RequestForm | None = None, problem: str = ""
    ) -> HttpResponse:
        runs = selectors.session_analyses(tenant=self.request.tenant, session=session)
        latest = runs.order_by("-id").first()
        shown = latest
        if latest is not None and latest.status != Analysis.Status.COMPLETE:
            # While another analysis runs or after it failed, show the last complete one.
            shown = runs.filter(status=Analysis.Status.COMPLETE).order_by("-id").first()
        context: dict[str, Any] = {
            "session": session,
            "latest": latest,
            "shown": shown,
            "running": latest is not None
            and latest.status in (Analysis.Status.QUEUED, Analysis.Status.PROCESSING),
            "failed": latest is not None and latest.status == Analysis.Status.FAILED,
            "form": form
            or RequestForm(initial={"analyses": latest.analyses if latest else ANALYSIS_TYPES}),
            "problem": problem,
        }
        if shown is not None:
            starts = dict(Segment.objects.filter(session=session).values_list("id", "start_time"))
            context.update(present(shown.results, starts, session.duration))
        return render(self.request, "analysis/panel.html", context)


class PolicyView(AdminRequired, StaffView):
    """Automatic analyses and compliance checks."""

    def get(self, request: HttpRequest) -> HttpResponse:
        policy = self._policy()
        initial = [
            {
                **check,
                "name": check_label(check["name"]),
                "phrases": "\n".join(check["phrases"]),
            }
            for check in (policy.checks if policy else [])
        ]
        return self._page(
            PolicyForm(initial={"automatic": policy.automatic if policy else []}),
            CheckFormSet(initial=initial, prefix="checks"),
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PolicyForm(request.POST)
        checks = CheckFormSet(request.POST, prefix="checks")
        # Validate both forms, so that the page shows all errors at once.
        if not all([form.is_valid(), checks.is_valid()]):
            return self._page(form, checks, status=422)
        with transaction.atomic():
            services.policy_update(
                organization=self.request.tenant.organization,
                automatic=form.cleaned_data["automatic"],
                checks=[check.as_rule() for check in checks if check.is_kept],
            )
            audit(self.request, "analysis.policy_changed")
        messages.success(request, "Saved. New analyses use these settings.")
        return redirect("analysis:policy")

    def _policy(self) -> AnalysisPolicy | None:
        return AnalysisPolicy.objects.filter(organization=self.request.tenant.organization).first()

    def _page(self, form: PolicyForm, checks: Any, status: int = 200) -> HttpResponse:
        numbered = list(zip(itertools.count(1), checks, strict=False))
        return render(
            self.request,
            "analysis/policy.html",
            {"form": form, "checks": checks, "numbered": numbered},
            status=status,
        )
