"""HTTP to Django, WebSockets to Channels."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

django_application = get_asgi_application()

# Consumers import models, which exist only once Django is set up.
from sessions_app.dashboard.routing import websocket_urlpatterns as staff_sockets  # noqa: E402

application = ProtocolTypeRouter(
    {"http": django_application, "websocket": URLRouter([*staff_sockets])}
)
