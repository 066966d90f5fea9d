"""The analysis on a session's page, and what admins set for it."""

import itertools
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from analysis_app import selectors, services
from analysis_app.dashboard.forms import CheckFormSet, PolicyForm, RequestForm
from analysis_app.dashboard.presentation import present
from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.models import Analysis, AnalysisPolicy
from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.api.errors import ApiError
from sessions_app import selectors as session_selectors
from sessions_app.models import Segment, Session


class PanelView(StaffView):
    """The latest analysis as a panel that polls while it runs; POST asks for another."""

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
            # While another runs, or after it failed, what is known stays in view.
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
    """Which analyses every call gets, and the compliance checks."""

    def get(self, request: HttpRequest) -> HttpResponse:
        policy = self._policy()
        initial = [
            {**check, "phrases": "\n".join(check["phrases"])}
            for check in (policy.checks if policy else [])
        ]
        return self._page(
            PolicyForm(initial={"automatic": policy.automatic if policy else []}),
            CheckFormSet(initial=initial, prefix="checks"),
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PolicyForm(request.POST)
        checks = CheckFormSet(request.POST, prefix="checks")
        # Both are validated before either answer, so that every fault shows at once.
        if not all([form.is_valid(), checks.is_valid()]):
            return self._page(form, checks, status=422)
        with transaction.atomic():
            services.policy_update(
                organization=self.request.tenant.organization,
                automatic=form.cleaned_data["automatic"],
                checks=[check.as_rule() for check in checks if check.is_kept],
            )
            audit(self.request, "analysis.policy_changed")
        messages.success(request, "Saved. It applies to analyses from now on.")
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
