"""WebSocket routes of this app."""

from typing import Any

from django.urls import path

from sessions_app.consumers import StreamConsumer

stream: Any = StreamConsumer.as_asgi()  # django-stubs types HTTP views only

websocket_urlpatterns: list[Any] = [path("v1/sessions/<str:session_id>/connect", stream)]
