"""Tells a worker that there is something to do. What it is stands in rows."""

import logging
from typing import Final

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

ASSEMBLE: Final = "recordings_app.tasks.assemble"
MAKE_VARIANT: Final = "recordings_app.tasks.make_variant"
CARRY_OUT_TOMBSTONES: Final = "recordings_app.tasks.carry_out_tombstones"


def ring(task: str, *arguments: str) -> None:
    """Have a task run after the commit. A broker that is away is no failure: sweeps follow."""

    def send() -> None:
        try:
            current_app.send_task(task, arguments)
        except Exception:
            log.warning("the broker did not take %s; a sweep will", task, exc_info=True)

    transaction.on_commit(send)
