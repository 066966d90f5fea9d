"""Small repairs that no request waits for."""

from django.db.models import Q

from webhooks_app.models import Delivery, Endpoint
from webhooks_app.services import deliveries_cancel


def strays_cancel() -> int:
    """Cancel what was recorded for an endpoint in the very moment it was disabled or deleted."""
    off = Endpoint.objects.filter(Q(status=Endpoint.Status.DISABLED) | Q(deleted_at__isnull=False))
    waiting = Delivery.objects.filter(status=Delivery.Status.PENDING, endpoint__in=off)
    return deliveries_cancel(endpoint_ids=waiting.values_list("endpoint_id", flat=True).distinct())
