"""Webhooks in the OpenAPI schema."""

from typing import Any

from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    register_component,
    register_id,
)
from webhooks_app.event_types import CATALOG
from webhooks_app.models import Delivery, Endpoint

_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}

ENDPOINT_EXAMPLE: dict[str, Any] = {
    "url": "https://example.com/hooks/kallglot",
    "events": ["session.ended", "transcript.ready"],
    "description": "Our ticket system",
}

_ENDPOINT = object_schema(
    "webhook_endpoint",
    {
        "id": id_schema("wh"),
        "object": {"const": "webhook_endpoint"},
        "url": _TEXT,
        "events": {"type": "array", "items": _TEXT},
        "description": _TEXT,
        "status": {"enum": list(Endpoint.Status.values)},
        "disabled_reason": _MAYBE_TEXT,
        "created_at": MOMENT,
    },
)
_ENDPOINT["properties"]["secret"] = {
    "type": "string",
    "pattern": "^whsec_",
    "description": "Present only in the response that creates or rotates the secret.",
}

_DELIVERY = object_schema(
    "webhook_delivery",
    {
        "id": id_schema("whd"),
        "object": {"const": "webhook_delivery"},
        "event_id": id_schema("evt"),
        "endpoint_id": {
            **nullable(id_schema("wh")),
            "description": "Null for the `webhook_url` of an analysis.",
        },
        "type": {"enum": list(CATALOG)},
        "status": {"enum": list(Delivery.Status.values)},
        "attempts": {"type": "integer", "minimum": 0},
        "next_attempt_at": nullable(MOMENT),
        "last_attempt": {
            "type": ["object", "null"],
            "required": ["at", "status_code", "duration_ms", "error", "response_body"],
            "properties": {
                "at": MOMENT,
                "status_code": {"type": ["integer", "null"]},
                "duration_ms": {"type": ["number", "null"]},
                "error": _MAYBE_TEXT,
                "response_body": _MAYBE_TEXT,
            },
        },
        "created_at": MOMENT,
    },
)

_EVENT = object_schema(
    "webhook_event",
    {
        "id": id_schema("evt"),
        "object": {"const": "webhook_event"},
        "type": {"enum": list(CATALOG)},
        "api_version": {"const": "v1"},
        "created_at": MOMENT,
        "data": {
            "type": "object",
            "description": "The object as the API returned it at the time of the event.",
        },
    },
)

_EVENT_TYPE = object_schema(
    "event_type",
    {
        "object": {"const": "event_type"},
        "name": {"enum": list(CATALOG)},
        "description": _TEXT,
        "scope": _MAYBE_TEXT,
        "schema": {"type": "object", "description": "The JSON Schema of its events."},
    },
)

_REDELIVERY = object_schema(
    "webhook_redelivery",
    {
        "object": {"const": "webhook_redelivery"},
        "endpoint_id": id_schema("wh"),
        "count": {"type": "integer", "minimum": 0},
    },
)

register_id("endpoint_id", "wh")
register_id("delivery_id", "whd")
register_id("event_id", "evt")
register_component("WebhookEndpoint", _ENDPOINT)
register_component("WebhookDelivery", _DELIVERY)
register_component("WebhookEvent", _EVENT)
register_component("EventType", _EVENT_TYPE)
register_component("WebhookRedelivery", _REDELIVERY)
