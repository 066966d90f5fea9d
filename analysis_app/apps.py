from typing import Any

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "analysis_app"
    verbose_name = "Analysis"

    def ready(self) -> None:
        from analysis_app.metrics import analysis_metrics
        from analysis_app.services import ANALYSES
        from kallglot_site.metrics import database
        from kallglot_site.metrics.queues import register_queue
        from sessions_app.models import Session
        from sessions_app.signals import transcript_completed

        transcript_completed.connect(_on_transcript_completed, sender=Session)
        register_queue(ANALYSES)
        database.register("analyses_by_status", analysis_metrics)


def _on_transcript_completed(*, session: Any, **kwargs: Any) -> None:
    """Queue the organization's automatic analysis, and wake a worker for waiting runs."""
    from analysis_app import services

    services.automatic_analysis_request(session=session)
    services.ANALYSES.ring()
