"""Celery tasks of analyses. Each looks for due rows itself: a lost message delays it by seconds."""

from celery import shared_task

from analysis_app import services


@shared_task
def analyze_due() -> None:
    """Run what is due. Safe to run repeatedly and concurrently, on any server."""
    services.analyses_run_due()
