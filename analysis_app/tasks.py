"""Celery tasks of analyses. Each looks for due rows itself, so a lost message costs seconds."""

from celery import shared_task

from analysis_app import services


@shared_task
def analyze_due() -> None:
    """Run what is due. Safe to run any number of times, at once, anywhere."""
    services.analyses_run_due()
