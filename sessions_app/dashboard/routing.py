"""WebSocket addresses of the dashboard."""

from typing import Any

from django.urls import path

from sessions_app.dashboard.consumers import SessionConsumer

session_live: Any = SessionConsumer.as_asgi()  # path() is typed for HTTP views only

websocket_urlpatterns = [path("dashboard/sessions/<str:session_id>/live", session_live)]
