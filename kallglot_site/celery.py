"""The Celery application. Messages only wake workers: the work itself is in database rows."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

app = Celery("kallglot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Keep the logging of the settings: Celery configures its own unless this signal is used."""
