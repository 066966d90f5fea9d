"""Celery tasks of the installation as a whole."""

from celery import shared_task

from kallglot_site.planner_statistics import statistics_refresh


@shared_task
def refresh_statistics() -> None:
    statistics_refresh()
