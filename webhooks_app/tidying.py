"""Cancels deliveries that were recorded while their endpoint was being disabled."""

from django.db.models import Q

from webhooks_app.models import Delivery, Endpoint
from webhooks_app.services import deliveries_cancel


def strays_cancel() -> int:
    """Cancel what is pending for disabled and deleted endpoints. Returns how many."""
    off = Endpoint.objects.filter(Q(status=Endpoint.Status.DISABLED) | Q(deleted_at__isnull=False))
    waiting = Delivery.objects.filter(status=Delivery.Status.PENDING, endpoint__in=off)
    return deliveries_cancel(endpoint_ids=waiting.values_list("endpoint_id", flat=True).distinct())
