"""Sweeps and deferred work. Each task finds its rows itself, so a missed run is made up for by the
next."""

from celery import shared_task

from sessions_app.services import sweeps
from sessions_app.services.transcript_translations import transcript_translations_run_due


@shared_task
def end_idle_sessions() -> None:
    sweeps.sessions_end_idle()


@shared_task
def complete_abandoned_transcripts() -> None:
    sweeps.claims_end_expired()
    sweeps.transcripts_complete_abandoned()


@shared_task
def translate_due() -> None:
    transcript_translations_run_due()
