"""Sweeps: work that no notification started. Each finds its rows itself, so a missed run is made up
for by the next."""

from celery import shared_task

from sessions_app.services import sweeps


@shared_task
def end_idle_sessions() -> None:
    sweeps.sessions_end_idle()


@shared_task
def complete_abandoned_transcripts() -> None:
    sweeps.claims_end_expired()
    sweeps.transcripts_complete_abandoned()
