"""The Celery application: a doorbell. What there is to do stands in database rows."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

app = Celery("kallglot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_ours(**_: Any) -> None:
    """Having a receiver is what matters: Celery then leaves logging as the settings made it."""
