"""Prometheus numbers of webhook deliveries."""

from typing import Final

from django.db.models import Count, Q
from prometheus_client import Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily

from kallglot_site.metrics.database import MOST
from webhooks_app.delivery.messages import Answer
from webhooks_app.models import Endpoint

ATTEMPTS: Final = Counter(
    "kallglot_webhook_attempts_total",
    "Webhook requests, by result: delivered, the class of the refusal's status, or no_answer",
    ["result"],
)
DURATION: Final = Histogram(
    "kallglot_webhook_attempt_duration_seconds",
    "Seconds until a receiver had answered, or was given up",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_DISABLED: Final = (
    "kallglot_webhook_endpoints_disabled",
    "Webhook endpoints that are disabled, by reason: manual, gone or failing",
)


def attempt_count(answer: Answer) -> None:
    """Count one attempt."""
    if answer.succeeded:
        result = "delivered"
    elif answer.status_code is None or answer.status_code < 300:  # then its body never ended
        result = "no_answer"
    else:
        result = f"{answer.status_code // 100}xx"
    ATTEMPTS.labels(result).inc()
    DURATION.observe(answer.duration_ms / 1000)


def endpoint_metrics() -> list[Metric]:
    disabled = Endpoint.objects.filter(status=Endpoint.Status.DISABLED, deleted_at=None)
    reasons = [reason.value for reason in Endpoint.DisabledReason]
    counts = disabled.order_by("disabled_reason")[:MOST].aggregate(
        **{reason: Count("pk", filter=_is(reason)) for reason in reasons}
    )
    family = GaugeMetricFamily(*_DISABLED, labels=["reason"])
    for reason in reasons:
        family.add_metric([reason], counts[reason])
    return [family]


def _is(reason: str) -> Q:
    return Q(disabled_reason=reason)
