"""Prometheus numbers of recordings. Their queues: ``kallglot_site.metrics.queues``."""

import datetime
from typing import Final

from django.utils import timezone
from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily

from kallglot_site.metrics.database import MOST
from recordings_app.models import Recording

FINISHED: Final = Counter(
    "kallglot_recordings_finished_total", "Recordings that became ready or failed", ["status"]
)
_DAY: Final = datetime.timedelta(days=1)


def recording_metrics() -> list[Metric]:
    processing = Recording.objects.filter(status=Recording.Status.PROCESSING)
    failed = Recording.objects.filter(
        status=Recording.Status.FAILED, created_at__gt=timezone.now() - _DAY
    )
    return [
        GaugeMetricFamily(
            "kallglot_recordings_processing",
            "Recordings of ended sessions that are not made yet",
            value=processing.order_by("created_at")[:MOST].count(),
        ),
        GaugeMetricFamily(
            "kallglot_recordings_failed_last_day",
            "Recordings created in the last 24 hours that failed",
            value=failed.order_by("created_at")[:MOST].count(),
        ),
    ]
