"""Events, endpoints and deliveries as the API returns them."""

import datetime
from typing import Any

from webhooks_app.models import Attempt, Delivery, Endpoint, Event

API_VERSION = "v1"


def timestamp(at: datetime.datetime) -> str:
    """ISO 8601 in UTC, ending in ``Z``."""
    return at.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def event_payload(event: Event) -> dict[str, Any]:
    """The event as the API returns it and as receivers get it: the same at every attempt."""
    return {
        "id": event.id,
        "object": "webhook_event",
        "type": event.type,
        "api_version": API_VERSION,
        "created_at": timestamp(event.created_at),
        "data": event.data,
    }


def endpoint_payload(endpoint: Endpoint, secret: str | None = None) -> dict[str, Any]:
    """``secret`` only right after it was made: it is shown once."""
    payload: dict[str, Any] = {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "events": endpoint.events,
        "description": endpoint.description,
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": timestamp(endpoint.created_at),
    }
    if secret is not None:
        payload["secret"] = secret
    return payload


def delivery_payload(delivery: Delivery) -> dict[str, Any]:
    """Needs the event, the endpoint and ``latest`` fetched along (see the selectors)."""
    due = delivery.next_attempt_at
    listed = delivery.endpoint.kind == Endpoint.Kind.SUBSCRIPTION
    latest: list[Attempt] = delivery.latest  # type: ignore[attr-defined]  # set by the selector
    return {
        "id": delivery.id,
        "object": "webhook_delivery",
        "event_id": delivery.event_id,
        "endpoint_id": delivery.endpoint_id if listed else None,
        "type": delivery.event.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": timestamp(due) if due else None,
        "last_attempt": attempt_payload(latest[0]) if latest else None,
        "created_at": timestamp(delivery.created_at),
    }


def attempt_payload(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": timestamp(attempt.at),
        "status_code": attempt.status_code,
        "duration_ms": attempt.duration_ms,
        "error": attempt.error,
        "response_body": attempt.response_body,
    }
