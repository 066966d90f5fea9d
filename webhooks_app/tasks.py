"""Celery's part: being woken."""

from celery import shared_task

from webhooks_app.delivery.dispatcher import dispatch_while_due
from webhooks_app.retention import events_purge
from webhooks_app.tidying import strays_cancel


@shared_task
def dispatch() -> int:
    """Deliver until nothing is due. Returns at once if enough dispatchers are at it already."""
    return dispatch_while_due()


@shared_task
def tidy() -> int:
    return strays_cancel()


@shared_task
def purge() -> int:
    return events_purge()
