"""What comes in over REST about webhooks."""

from rest_framework import serializers

from kallglot_site.api.serializers import (
    MomentField,
    StrictCharField,
    StrictChoiceField,
    StrictSerializer,
)
from webhooks_app.delivery.urls import MAX_LENGTH
from webhooks_app.events import CATALOG
from webhooks_app.models import Delivery, Endpoint


def _event_types(*, required: bool = True) -> serializers.ListField:
    return serializers.ListField(
        child=StrictCharField(max_length=64), allow_empty=True, max_length=64, required=required
    )


class EndpointInput(StrictSerializer):
    """The body of POST /v1/webhook_endpoints."""

    url = StrictCharField(max_length=MAX_LENGTH, allow_blank=True)
    events = _event_types()
    description = StrictCharField(max_length=500, allow_blank=True, default="")


class EndpointChange(StrictSerializer):
    """The body of PATCH /v1/webhook_endpoints/:id. What is left out stays."""

    url = StrictCharField(max_length=MAX_LENGTH, allow_blank=True, required=False)
    events = _event_types(required=False)
    description = StrictCharField(max_length=500, allow_blank=True, required=False)
    status = StrictChoiceField(Endpoint.Status.values, required=False)


class RedeliverInput(StrictSerializer):
    """The body of POST /v1/webhook_endpoints/:id/redeliver."""

    since = MomentField()


class DeliveryListQuery(StrictSerializer):
    status = StrictChoiceField(Delivery.Status.values, required=False)


class EventListQuery(StrictSerializer):
    type = StrictChoiceField(list(CATALOG), required=False)
    session_id = StrictCharField(max_length=40, required=False)
