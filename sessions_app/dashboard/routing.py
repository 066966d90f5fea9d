"""WebSocket URLs of the dashboard."""

from typing import Any

from django.urls import path

from sessions_app.dashboard.consumers import SessionConsumer
from sessions_app.dashboard.listen_in import ListenInConsumer

# path() is typed for HTTP views only
session_live: Any = SessionConsumer.as_asgi()
session_listen: Any = ListenInConsumer.as_asgi()

websocket_urlpatterns = [
    path("dashboard/sessions/<str:session_id>/live", session_live),
    path("dashboard/sessions/<str:session_id>/listen", session_listen),
]
