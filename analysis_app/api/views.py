"""Analyses over REST: HTTP shape only."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from analysis_app import selectors, services
from analysis_app.api.schema import REQUEST_EXAMPLE
from analysis_app.api.serializers import AnalysisInput
from analysis_app.payloads import analysis_payload
from kallglot_site.accounts.models import Scope
from kallglot_site.api.idempotency import idempotent
from kallglot_site.api.operations import operation
from kallglot_site.api.viewsets import V1ViewSet
from sessions_app import selectors as session_selectors
from sessions_app.models import Session
from webhooks_app.delivery.urls import url_check
from webhooks_app.errors import InvalidUrl


class AnalysisViewSet(V1ViewSet):
    """Ask for the analysis of an ended session, and read it."""

    throttle_group = "analysis"
    scopes = {
        "list": Scope.ANALYSIS_READ,
        "create": Scope.ANALYSIS_WRITE,
        "retrieve": Scope.ANALYSIS_READ,
    }
    paginated = {"list"}

    @operation("List a session's analyses", "Analysis", lists=True)
    def list(self, request: Request, session_id: str) -> Response:
        analyses = selectors.session_analyses(tenant=self.tenant, session=self._session(session_id))
        return self.page(analyses, prefix="ana", payload=analysis_payload)

    def _checked_body(self, request: Request, session_id: str) -> dict[str, Any]:
        """The body, with the receiver's host name resolved (never inside a transaction).

        The session is looked up first: no name is resolved for an unknown session.
        """
        body = self.body(AnalysisInput)
        if body.get("webhook_url"):
            self._session(session_id)
            try:
                url_check(body["webhook_url"])
            except InvalidUrl as error:
                error.param = "webhook_url"
                raise
        return body

    @operation(
        "Analyze a session",
        "Analysis",
        description="Asks for the analysis of an ended session. It is done when `status` says so, "
        "and `analysis.complete` or `analysis.failed` tells of it.",
        status=202,
        takes=AnalysisInput,
        creates="analysis_id",
        request_example=REQUEST_EXAMPLE,
        errors=(
            "invalid_language_code",
            "invalid_url",
            "session_not_ended",
            "transcript_unavailable",
        ),
    )
    @idempotent(prepare=_checked_body)
    def create(self, request: Request, session_id: str, prepared: dict[str, Any]) -> Response:
        body = prepared
        analysis = services.analysis_request(
            tenant=self.tenant,
            session=self._session(session_id),
            analyses=body["analyses"],
            language=body["language"],
            webhook_url=body.get("webhook_url") or "",
            custom_prompts=body.get("custom_prompts"),
        )
        return Response(analysis_payload(analysis), status=202)

    @operation("Retrieve an analysis", "Analysis")
    def retrieve(self, request: Request, analysis_id: str) -> Response:
        analysis = selectors.analysis_get(tenant=self.tenant, analysis_id=analysis_id)
        return Response(analysis_payload(analysis))

    def _session(self, session_id: str) -> Session:
        return session_selectors.session_get(tenant=self.tenant, session_id=session_id)
