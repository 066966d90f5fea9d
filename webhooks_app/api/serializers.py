"""Input of the webhooks API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kallglot_site.api.operations import one_of
from kallglot_site.api.serializers import (
    MomentField,
    StrictCharField,
    StrictChoiceField,
    StrictSerializer,
)
from webhooks_app.delivery.urls import MAX_LENGTH
from webhooks_app.event_types import ALL, CATALOG, SUBSCRIBABLE
from webhooks_app.models import Delivery, Endpoint


@extend_schema_field(
    {
        "type": "array",
        "items": one_of(ALL, *SUBSCRIBABLE),
        "minItems": 1,
        "maxItems": 64,
    }
)
class EventTypesField(serializers.ListField):
    """Event types, or ``*`` for all. The services refuse an empty list and unknown types."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=StrictCharField(max_length=64), allow_empty=True, max_length=64, **kwargs
        )


class EndpointInput(StrictSerializer):
    """The body of POST /v1/webhook_endpoints."""

    url = StrictCharField(max_length=MAX_LENGTH, allow_blank=True)
    events = EventTypesField()
    description = StrictCharField(max_length=500, allow_blank=True, default="")


class EndpointChange(StrictSerializer):
    """The body of PATCH /v1/webhook_endpoints/:id. Omitted fields stay unchanged."""

    url = StrictCharField(max_length=MAX_LENGTH, allow_blank=True, required=False)
    events = EventTypesField(required=False)
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
