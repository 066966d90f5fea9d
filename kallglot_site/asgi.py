"""HTTP to Django, WebSockets to Channels."""

import os
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from kallglot_site.sockets import http_under_daphne, under_daphne

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
django.setup(set_prefix=False)
under_daphne.install()
http_under_daphne.install()

# These import models, so Django must be set up first.
from kallglot_site.health import HealthPages  # noqa: E402
from kallglot_site.http_application import HttpApplication  # noqa: E402
from kallglot_site.metrics.http import HttpMetrics  # noqa: E402
from kallglot_site.sockets.handshakes import RefuseWhileStopping, not_found  # noqa: E402
from recordings_app.spool import shipper  # noqa: E402
from sessions_app import routing, runtime  # noqa: E402
from sessions_app.dashboard.routing import websocket_urlpatterns as staff_sockets  # noqa: E402


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """For servers started without ``manage.py gateway`` that speak ASGI's lifespan (uvicorn)."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            runtime.gateway()  # engines load while the first requests come
            await send({"type": "lifespan.startup.complete"})
        else:
            await runtime.drain()
            await send({"type": "lifespan.shutdown.complete"})
            return


shipper.start()  # finished spool parts go to the storage, where there are several machines

_nowhere: Any = not_found  # django-stubs know of HTTP views only
_sockets: list[Any] = [*routing.websocket_urlpatterns, *staff_sockets, re_path(r"", _nowhere)]


def _is_stopping() -> bool:
    return runtime.unready_reason() == "draining"


application = ProtocolTypeRouter(
    {
        "http": HealthPages(HttpMetrics(HttpApplication())),
        "websocket": RefuseWhileStopping(URLRouter(_sockets), _is_stopping),
        "lifespan": lifespan,
    }
)
