"""Webhooks over REST: HTTP shape only."""

from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.models import Scope
from kallglot_site.api.idempotency import idempotent
from kallglot_site.api.permissions import scope_require
from kallglot_site.api.viewsets import V1ViewSet
from webhooks_app import selectors, services
from webhooks_app.api.serializers import (
    DeliveryListQuery,
    EndpointChange,
    EndpointInput,
    EventListQuery,
    RedeliverInput,
)
from webhooks_app.delivery.urls import CheckedUrl, url_check
from webhooks_app.events import CATALOG, event_payload
from webhooks_app.models import Endpoint
from webhooks_app.payloads import delivery_payload, endpoint_payload
from webhooks_app.schemas import EVENT_SCHEMAS

_SECRET = {"Cache-Control": "no-store"}


class EndpointViewSet(V1ViewSet):
    """Where events go."""

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

    def list(self, request: Request) -> Response:
        endpoints = selectors.endpoint_list(tenant=self.tenant)
        return self.page(endpoints, prefix="wh", payload=endpoint_payload)

    def _url(self, request: Request) -> CheckedUrl:
        """Asks the name service: before the transaction of the idempotency key."""
        return url_check(self.body(EndpointInput)["url"])

    @idempotent(prepare=_url)
    def create(self, request: Request, *, prepared: CheckedUrl) -> Response:
        body = self.body(EndpointInput) | {"url": prepared}
        endpoint, secret = services.endpoint_create(tenant=self.tenant, **body)
        return Response(endpoint_payload(endpoint, secret), status=201, headers=_SECRET)

    def retrieve(self, request: Request, endpoint_id: str) -> Response:
        return Response(endpoint_payload(self._endpoint(endpoint_id)))

    def update(self, request: Request, endpoint_id: str) -> Response:
        body = self.body(EndpointChange)
        endpoint = self._endpoint(endpoint_id)
        if "url" in body:
            body["url"] = url_check(body["url"])
        return Response(endpoint_payload(services.endpoint_update(endpoint=endpoint, **body)))

    def destroy(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        services.endpoint_delete(endpoint=self._endpoint(endpoint_id))
        return Response(status=204)

    @idempotent
    def rotate_secret(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        endpoint, secret = services.endpoint_secret_rotate(endpoint=self._endpoint(endpoint_id))
        return Response(endpoint_payload(endpoint, secret), headers=_SECRET)

    @idempotent
    def test(self, request: Request, endpoint_id: str) -> Response:
        self.body()
        delivery = services.endpoint_test(endpoint=self._endpoint(endpoint_id))
        return self._delivery(delivery.id)

    def deliveries(self, request: Request, endpoint_id: str) -> Response:
        deliveries = selectors.delivery_list(endpoint=self._endpoint(endpoint_id), **self.query)
        return self.page(deliveries, prefix="whd", payload=delivery_payload)

    @idempotent
    def redeliver(self, request: Request, endpoint_id: str) -> Response:
        """Everything that failed or was cancelled since a time."""
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
    """What became of one event at one endpoint."""

    throttle_group = "webhooks"
    scopes = {"retrieve": Scope.WEBHOOKS_READ, "redeliver": Scope.WEBHOOKS_WRITE}

    def retrieve(self, request: Request, delivery_id: str) -> Response:
        delivery = selectors.delivery_get(tenant=self.tenant, delivery_id=delivery_id)
        return Response(delivery_payload(delivery))

    @idempotent
    def redeliver(self, request: Request, delivery_id: str) -> Response:
        self.body()
        services.delivery_redeliver(
            delivery=selectors.delivery_get(tenant=self.tenant, delivery_id=delivery_id)
        )
        return self.retrieve(request, delivery_id)


class EventViewSet(V1ViewSet):
    """What happened. Besides ``webhooks:read`` an event needs its own object's read scope."""

    throttle_group = "webhooks"
    scopes = {
        "list": Scope.WEBHOOKS_READ,
        "retrieve": Scope.WEBHOOKS_READ,
        "types": Scope.WEBHOOKS_READ,
    }
    paginated = {"list"}
    queries = {"list": EventListQuery}

    def list(self, request: Request) -> Response:
        if "type" in self.query:
            self._require(self.query["type"])
        events = selectors.event_list(tenant=self.tenant, scopes=self.api_key.scopes, **self.query)
        return self.page(events, prefix="evt", payload=event_payload)

    def retrieve(self, request: Request, event_id: str) -> Response:
        event = selectors.event_get(tenant=self.tenant, event_id=event_id)
        self._require(event.type)
        return Response(event_payload(event))

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
