"""Sweeps: what no doorbell rang for. Each finds its rows itself, so a missed run costs nothing."""

from celery import shared_task

from sessions_app import lifecycle


@shared_task
def end_idle_sessions() -> None:
    lifecycle.sessions_end_idle()


@shared_task
def complete_abandoned_transcripts() -> None:
    lifecycle.transcripts_complete_abandoned()
