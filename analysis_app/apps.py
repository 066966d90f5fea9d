from typing import Any

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "analysis_app"
    verbose_name = "Analysis"

    def ready(self) -> None:
        from sessions_app.models import Session
        from sessions_app.signals import transcript_completed

        transcript_completed.connect(_on_transcript_completed, sender=Session)


def _on_transcript_completed(*, session: Any, **kwargs: Any) -> None:
    """Queue the organization's automatic analysis, and wake a worker for waiting runs."""
    from analysis_app import services

    services.automatic_analysis_request(session=session)
    services.ANALYSES.ring()
