"""Celery tasks of webhooks: deliver, cancel, purge."""

import mmap
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from webhooks_app.delivery.dispatcher import dispatch_while_due
from webhooks_app.retention import events_purge
from webhooks_app.tidying import strays_cancel

# Shared with the worker's child processes, which are forked after this module is imported: a
# dispatcher runs as long as there is traffic, and must learn that its worker is being stopped.
_stopping = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def _stop(**kwargs: Any) -> None:
    _stopping[0] = 1


@shared_task
def dispatch() -> int:
    """Deliver until nothing is due. Returns at once if enough dispatchers are running already."""
    return dispatch_while_due(stopping=lambda: bool(_stopping[0]))


@shared_task
def tidy() -> int:
    return strays_cancel()


@shared_task
def purge() -> int:
    return events_purge()
