"""The baseline of ``stream.py``: a consumer as in Channels' tutorial that only decodes audio."""

import base64
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

import django

django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - after setup()
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - after setup()
from django.urls import re_path  # noqa: E402 - after setup()


class StockConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.send(text_data='{"type": "session.ready"}')

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = json.loads(text_data or "")
        if message["type"] == "ping":
            await self.send(
                text_data=json.dumps({"type": "pong", "timestamp_ms": message["timestamp_ms"]})
            )
        else:
            base64.b64decode(message["audio"]["payload"])


stock: Any = StockConsumer.as_asgi()
application = ProtocolTypeRouter({"websocket": URLRouter([re_path(r"", stock)])})
