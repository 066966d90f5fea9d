"""Celery is the doorbell: a task looks for due rows and works until there are none."""

from celery import shared_task

from analysis_app import services


@shared_task
def analyze_due() -> None:
    """Run every due analysis. Safe to run any number of times, at once, anywhere."""
    while (analysis := services.analysis_claim()) is not None:
        services.analysis_run(analysis=analysis)
