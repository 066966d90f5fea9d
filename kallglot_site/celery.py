"""The Celery application: a doorbell. What there is to do stands in database rows."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

app = Celery("kallglot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
