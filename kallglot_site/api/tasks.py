"""Periodic deletion of idempotency keys and request counts."""

from celery import shared_task

from kallglot_site.api.idempotency import idempotent_responses_sweep
from kallglot_site.api.throttle_stores import store


@shared_task
def api_sweep() -> None:
    """Delete stored answers older than 24 hours, and request counts of past windows."""
    idempotent_responses_sweep()
    store().sweep()
