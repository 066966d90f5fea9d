"""Waiting, claimed and later rows of a work queue, and how long the oldest has been due."""

from typing import Any, Final

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from kallglot_site.leases import WorkQueue
from kallglot_site.metrics import database
from kallglot_site.metrics.database import MOST

_ROWS: Final = (
    "kallglot_queue_rows",
    "Rows of deferred work: waiting (due, in nobody's hands), claimed, or due later",
)
_OLDEST: Final = (
    "kallglot_queue_oldest_waiting_seconds",
    "Seconds for which the oldest waiting row has been due; 0: none waits",
)


def register_queue(queue: WorkQueue[Any]) -> None:
    """Have the queue's numbers in /metrics. An index of its open rows begins with the due time."""
    database.register(queue.name, lambda: queue_metrics(queue))


def queue_metrics(queue: WorkQueue[Any]) -> list[Metric]:
    now = timezone.now()
    waiting = queue.rows_due(now).filter(queue.ready).order_by(queue.due)
    # A leased row is due when its lease ends, which is soon: these come before those due later.
    ahead = queue.rows_ahead(now).order_by(queue.due)[:MOST]
    held = Q((f"{queue.lease}__gt", ""))
    counts = ahead.aggregate(claimed=Count("pk", filter=held), later=Count("pk", filter=~held))
    oldest = waiting.values_list(queue.due, flat=True).first()
    rows = GaugeMetricFamily(*_ROWS, labels=["queue", "state"])
    rows.add_metric([queue.name, "waiting"], waiting[:MOST].count())
    rows.add_metric([queue.name, "claimed"], counts["claimed"])
    rows.add_metric([queue.name, "later"], counts["later"])
    age = GaugeMetricFamily(*_OLDEST, labels=["queue"])
    seconds = (now - oldest).total_seconds() if oldest else 0.0
    age.add_metric([queue.name], max(0.0, seconds))
    return [rows, age]
