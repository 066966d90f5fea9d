"""Tidying up of the v1 plumbing."""

from celery import shared_task

from kallglot_site.api.idempotency import idempotent_responses_sweep
from kallglot_site.api.throttle_stores import store


@shared_task
def api_sweep() -> None:
    """Delete stored answers after 24 hours, and request counts after their window."""
    idempotent_responses_sweep()
    store().sweep()
