"""Prometheus numbers of analyses. Their queue: ``kallglot_site.metrics.queues``."""

import datetime
from typing import Final

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily

from analysis_app.models import TO_DO, Analysis
from kallglot_site.metrics.database import MOST

FINISHED: Final = Counter(
    "kallglot_analyses_finished_total", "Analyses that were completed or failed", ["status"]
)
_DAY: Final = datetime.timedelta(days=1)


def analysis_metrics() -> list[Metric]:
    to_do = Analysis.objects.filter(TO_DO).order_by("due_at")[:MOST]
    states = (Analysis.Status.QUEUED.value, Analysis.Status.PROCESSING.value)
    counts = to_do.aggregate(**{state: Count("pk", filter=Q(status=state)) for state in states})
    failed = Analysis.objects.filter(
        status=Analysis.Status.FAILED, completed_at__gt=timezone.now() - _DAY
    )
    unfinished = GaugeMetricFamily(
        "kallglot_analyses_unfinished",
        "Analyses without a result: queued (also for a transcript) or processing",
        labels=["status"],
    )
    for state in states:
        unfinished.add_metric([state], counts[state])
    return [
        unfinished,
        GaugeMetricFamily(
            "kallglot_analyses_failed_last_day",
            "Analyses that failed in the last 24 hours",
            value=failed.order_by("completed_at")[:MOST].count(),
        ),
    ]
