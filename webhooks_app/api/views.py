"""REST endpoints of webhooks. The work itself is in the services and selectors."""

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.models import Scope
from kallglot_site.api.idempotency import idempotent
from kallglot_site.api.operations import header, operation
from kallglot_site.api.permissions import scope_require
from kallglot_site.api.viewsets import V1ViewSet
from webhooks_app import selectors, services
from webhooks_app.api.schema import ENDPOINT_EXAMPLE
from webhooks_app.api.serializers import (
    DeliveryListQuery,
    EndpointChange,
    EndpointInput,
    EventListQuery,
    RedeliverInput,
)
from webhooks_app.delivery.urls import CheckedUrl, url_check
from webhooks_app.event_types import CATALOG
from webhooks_app.models import Endpoint
from webhooks_app.payloads import delivery_payload, endpoint_payload, event_payload
from webhooks_app.schemas import EVENT_SCHEMAS

_SECRET = {"Cache-Control": "no-store"}


class EndpointViewSet(V1ViewSet):
    """Webhook endpoints."""

    throttle_group = "webhooks"
    scopes = {
        "list": Scope.WEBHOOKS_READ,
        "create": Scope.WEBHOOKS_WRITE,
        "retrieve": Scope.WEBHOOKS_READ,
        "update": Scope.WEBHOOKS_WRITE,
        "destroy": Scope.WEBHOOKS_WRITE,
        "rotate_secret": Scope.WEBHOOKS_WRITE,
        "test": Scope.WEBHOOKS_WRITE,
        "deliveries": Scope.WEBHOOKS_READ,
        "redeliver": Scope.WEBHOOKS_WRITE,
    }
    paginated = {"list", "deliveries"}
    queries = {"deliveries": DeliveryListQuery}

    @operation("List webhook endpoints", "WebhookEndpoint", lists=True)
    def list(self, request: Request) -> Response:
        endpoints = selectors.endpoint_list(tenant=self.tenant)
        return self.page(endpoints, prefix="wh", payload=endpoint_payload)

    def _url(self, request: Request) -> CheckedUrl:
        """The checked URL. Called before the transaction, because it resolves the host name."""
        return url_check(self.body(EndpointInput)["url"])

    @operation(
        "Create a webhook endpoint",
        "WebhookEndpoint",
        description="Only this response contains the signing secret.",
        status=201,
        takes=EndpointInput,
        creates="endpoint_id",
        request_example=ENDPOINT_EXAMPLE,
        headers={"Cache-Control": header("`no-store`: the answer holds a secret.")},
        errors=("invalid_url",),
    )
    @idempotent(prepare=_url)
    def create(self, request: Request, *, prepared: CheckedUrl) -> Response:
        body = self.body(EndpointInput) | {"url": prepared}
        with transaction.atomic():
            endpoint, secret = services.endpoint_create(tenant=self.tenant, **body)
            self.audit("webhook_endpoint.created", endpoint.id, endpoint.url)
        return Response(endpoint_payload(endpoint, secret), status=201, headers=_SECRET)

    @operation("Retrieve a webhook endpoint", "WebhookEndpoint")
    def retrieve(self, request: Request, endpoint_id: str) -> Response:
        return Response(endpoint_payload(self._endpoint(endpoint_id)))

    @operation(
        "Change a webhook endpoint",
        "WebhookEndpoint",
        takes=EndpointChange,
        errors=("invalid_url",),
    )
    def update(self, request: Request, endpoint_id: str) -> Response:
        body = self.body(EndpointChange)
        endpoint = self._endpoint(endpoint_id)
        if "url" in body:
            body["url"] = url_check(body["url"])
        with transaction.atomic():
            endpoint = services.endpoint_update(endpoint=endpoint, **body)
            self.audit("webhook_endpoint.changed", endpoint.id, endpoint.url)
        return Response(endpoint_payload(endpoint))

    @operation("Delete a webhook endpoint", None, status=204)
    def destroy(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        endpoint = self._endpoint(endpoint_id)
        with transaction.atomic():
            self.audit("webhook_endpoint.delete", endpoint.id, endpoint.url)
            services.endpoint_delete(endpoint=endpoint)
        return Response(status=204)

    @operation(
        "Rotate a signing secret",
        "WebhookEndpoint",
        description="Only this response contains the new secret. The old one also signs deliveries "
        "for 24 hours.",
        headers={"Cache-Control": header("`no-store`: the answer holds a secret.")},
    )
    @idempotent
    def rotate_secret(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        with transaction.atomic():
            endpoint = self._endpoint(endpoint_id)
            endpoint, secret = services.endpoint_secret_rotate(endpoint=endpoint)
            self.audit("webhook_endpoint.secret_rotated", endpoint.id, endpoint.url)
        return Response(endpoint_payload(endpoint, secret), headers=_SECRET)

    @operation("Send a test event", "WebhookDelivery", creates="delivery_id")
    @idempotent
    def test(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        delivery = services.endpoint_test(endpoint=self._endpoint(endpoint_id))
        return self._delivery(delivery.id)

    @operation("List an endpoint's deliveries", "WebhookDelivery", lists=True)
    def deliveries(self, request: Request, endpoint_id: str) -> Response:
        deliveries = selectors.delivery_list(endpoint=self._endpoint(endpoint_id), **self.query)
        return self.page(deliveries, prefix="whd", payload=delivery_payload)

    @operation(
        "Redeliver failed deliveries since a time", "WebhookRedelivery", takes=RedeliverInput
    )
    @idempotent
    def redeliver(self, request: Request, endpoint_id: str) -> Response:
        """Redeliver everything that failed or was cancelled since a time."""
        since = self.body(RedeliverInput)["since"]
        endpoint = self._endpoint(endpoint_id)
        count = services.endpoint_redeliver(endpoint=endpoint, since=since)
        return Response(
            {"object": "webhook_redelivery", "endpoint_id": endpoint.id, "count": count}
        )

    def _endpoint(self, endpoint_id: str) -> Endpoint:
        return selectors.endpoint_get(tenant=self.tenant, endpoint_id=endpoint_id)

    def _delivery(self, delivery_id: str) -> Response:
        delivery = selectors.delivery_get(tenant=self.tenant, delivery_id=delivery_id)
        return Response(delivery_payload(delivery))


class DeliveryViewSet(V1ViewSet):
    """Deliveries. Each is one event for one endpoint."""

    throttle_group = "webhooks"
    scopes = {"retrieve": Scope.WEBHOOKS_READ, "redeliver": Scope.WEBHOOKS_WRITE}

    @operation("Retrieve a delivery", "WebhookDelivery")
    def retrieve(self, request: Request, delivery_id: str) -> Response:
        delivery = selectors.delivery_get(tenant=self.tenant, delivery_id=delivery_id)
        return Response(delivery_payload(delivery))

    @operation("Redeliver now", "WebhookDelivery")
    @idempotent
    def redeliver(self, request: Request, delivery_id: str) -> Response:
        self.body()
        services.delivery_redeliver(
            delivery=selectors.delivery_get(tenant=self.tenant, delivery_id=delivery_id)
        )
        return self.retrieve(request, delivery_id)


class EventViewSet(V1ViewSet):
    """Events. An event needs ``webhooks:read`` and the read scope of its object."""

    throttle_group = "webhooks"
    scopes = {
        "list": Scope.WEBHOOKS_READ,
        "retrieve": Scope.WEBHOOKS_READ,
        "types": Scope.WEBHOOKS_READ,
    }
    paginated = {"list"}
    queries = {"list": EventListQuery}

    @operation(
        "List events",
        "WebhookEvent",
        description="Only events of objects that the key may read.",
        lists=True,
    )
    def list(self, request: Request) -> Response:
        if "type" in self.query:
            self._require(self.query["type"])
        events = selectors.event_list(tenant=self.tenant, scopes=self.api_key.scopes, **self.query)
        return self.page(events, prefix="evt", payload=event_payload)

    @operation("Retrieve an event", "WebhookEvent")
    def retrieve(self, request: Request, event_id: str) -> Response:
        event = selectors.event_get(tenant=self.tenant, event_id=event_id)
        self._require(event.type)
        return Response(event_payload(event))

    @operation("List event types", "EventType", lists=True)
    def types(self, request: Request) -> Response:
        """The catalog: every type with the JSON Schema of its events."""
        data = [
            {
                "object": "event_type",
                "name": kind.name,
                "description": kind.description,
                "scope": kind.scope,
                "schema": EVENT_SCHEMAS[kind.name],
            }
            for kind in CATALOG.values()
        ]
        return Response({"object": "list", "data": data, "has_more": False, "url": request.path})

    def _require(self, type: str) -> None:
        kind = CATALOG.get(type)
        if kind is not None and kind.scope is not None:
            scope_require(self.api_key, kind.scope)
