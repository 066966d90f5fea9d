"""Webhooks in the OpenAPI schema."""

from typing import Any

from kallglot_site.accounts.models import Scope
from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    one_of,
    ref,
    register_component,
    register_id,
)
from webhooks_app.event_types import ALL, CATALOG, SUBSCRIBABLE
from webhooks_app.models import Delivery, Endpoint

_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}

_EVENTS: dict[str, Any] = {"type": "array", "items": one_of(ALL, *SUBSCRIBABLE)}

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
        "events": _EVENTS,
        "description": _TEXT,
        "status": one_of(*Endpoint.Status.values),
        "disabled_reason": one_of(*Endpoint.DisabledReason.values, None),
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
        "type": one_of(*CATALOG),
        "status": one_of(*Delivery.Status.values),
        "attempts": {"type": "integer", "minimum": 0},
        "next_attempt_at": nullable(MOMENT),
        "last_attempt": {
            "type": ["object", "null"],
            "required": ["at", "status_code", "duration_ms", "error", "response_body"],
            "properties": {
                "at": MOMENT,
                "status_code": {"type": ["integer", "null"]},
                "duration_ms": {"type": "integer", "minimum": 0},
                "error": {**_MAYBE_TEXT, "description": "Why no answer was read. Null if one was."},
                "response_body": {**_TEXT, "description": "The beginning of it."},
            },
        },
        "created_at": MOMENT,
    },
)

# Components of this and other apps, one for each kind of object that events carry.
_CARRIED = (
    "Session",
    "SegmentWithSession",
    "TranscriptWithoutSegments",
    "Recording",
    "Analysis",
    "TestedWebhookEndpoint",
)

_TESTED_ENDPOINT = object_schema(
    "webhook_endpoint",
    {
        name: _ENDPOINT["properties"][name]
        for name in ("id", "object", "url", "events", "description")
    },
    description="A webhook endpoint as `webhook.test` carries it.",
)

_ERASED = object_schema(
    "session",
    {"id": id_schema("sess"), "object": {"const": "session"}, "erased": {"const": True}},
    description="What is left of an event's data once its session was erased.",
)

_EVENT = object_schema(
    "webhook_event",
    {
        "id": id_schema("evt"),
        "object": {"const": "webhook_event"},
        "type": one_of(*CATALOG),
        "api_version": {"const": "v1"},
        "created_at": MOMENT,
        "data": {
            "anyOf": [ref(name) for name in (*_CARRIED, "ErasedSession")],
            "description": "The object as the API returned it at the time of the event, without "
            "tokens and secrets.",
        },
    },
)

_EVENT_TYPE = object_schema(
    "event_type",
    {
        "object": {"const": "event_type"},
        "name": one_of(*CATALOG),
        "description": _TEXT,
        "scope": {
            **one_of(*Scope.values, None),
            "description": "What a key needs to read such events, beside `webhooks:read`.",
        },
        "schema": {
            "type": "object",
            "additionalProperties": True,
            "description": "The JSON Schema (draft 2020-12) of its events.",
        },
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
register_component("TestedWebhookEndpoint", _TESTED_ENDPOINT)
register_component("ErasedSession", _ERASED)
register_component("WebhookDelivery", _DELIVERY)
register_component("WebhookEvent", _EVENT)
register_component("EventType", _EVENT_TYPE)
register_component("WebhookRedelivery", _REDELIVERY)
