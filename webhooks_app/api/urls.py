"""URLs of webhooks under /v1."""

from django.urls import path

from webhooks_app.api.views import DeliveryViewSet, EndpointViewSet, EventViewSet

_ENDPOINT = "webhook_endpoints/<str:endpoint_id>"

urlpatterns = [
    path("webhook_endpoints", EndpointViewSet.as_view({"get": "list", "post": "create"})),
    path(
        _ENDPOINT,
        EndpointViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
    ),
    path(f"{_ENDPOINT}/rotate_secret", EndpointViewSet.as_view({"post": "rotate_secret"})),
    path(f"{_ENDPOINT}/test", EndpointViewSet.as_view({"post": "test"})),
    path(f"{_ENDPOINT}/deliveries", EndpointViewSet.as_view({"get": "deliveries"})),
    path(f"{_ENDPOINT}/redeliver", EndpointViewSet.as_view({"post": "redeliver"})),
    path("webhook_deliveries/<str:delivery_id>", DeliveryViewSet.as_view({"get": "retrieve"})),
    path(
        "webhook_deliveries/<str:delivery_id>/redeliver",
        DeliveryViewSet.as_view({"post": "redeliver"}),
    ),
    path("events", EventViewSet.as_view({"get": "list"})),
    path("events/<str:event_id>", EventViewSet.as_view({"get": "retrieve"})),
    path("event_types", EventViewSet.as_view({"get": "types"})),
]
