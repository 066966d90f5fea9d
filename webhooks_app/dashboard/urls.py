"""The pages of webhooks under /dashboard."""

from django.urls import path, re_path

from webhooks_app.dashboard import event_views, views

app_name = "webhooks"

urlpatterns = [
    path("webhooks", views.EndpointsView.as_view(), name="endpoints"),
    path("webhooks/signing-secret", views.SigningSecretView.as_view(), name="signing_secret"),
    path("webhooks/deliveries/<str:delivery_id>", views.DeliveryView.as_view(), name="delivery"),
    path("webhooks/<str:endpoint_id>", views.EndpointView.as_view(), name="endpoint"),
    path("webhooks/<str:endpoint_id>/rotate", views.EndpointRotateView.as_view(), name="rotate"),
    re_path(
        r"^webhooks/(?P<endpoint_id>[^/]+)/(?P<action>enable|disable|delete|test|redeliver)$",
        views.EndpointActionView.as_view(),
        name="act",
    ),
    path("events", event_views.EventsView.as_view(), name="events"),
    path("events/catalog", event_views.CatalogView.as_view(), name="catalog"),
    path("events/<str:event_id>", event_views.EventView.as_view(), name="event"),
    path("sessions/<str:session_id>/events-panel", event_views.PanelView.as_view(), name="panel"),
]
