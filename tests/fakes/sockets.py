"""A WebSocket client of the streaming endpoint, in process: it plays the ASGI server."""

import asyncio
import base64
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import numpy as np
from channels.routing import URLRouter

from sessions_app import routing
from sessions_app.media import Samples, encode
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import stream_token_issue

TIMEOUT = 15.0
"""Seconds that a test waits for what it expects."""


class _Inbox(asyncio.Queue[dict[str, Any]]):
    """A message counts as handled when the application receives the next one."""

    _taken = False

    async def get(self) -> dict[str, Any]:
        if self._taken:
            self._taken = False
            self.task_done()
        event = await super().get()
        self._taken = True
        return event


class StreamClient:
    """``async with StreamClient(session) as client`` connects, and does not wait for an answer.

    ``reading=False`` plays a client that never reads: sending to it blocks, as with full buffers.
    """

    def __init__(
        self, session: Session, *, token: str | None = None, reading: bool = True, **query: str
    ) -> None:
        if token is None:
            token, _ = stream_token_issue(session, None)
        self.session = session
        self.headers: list[tuple[bytes, bytes]] = []
        self._query = {"token": token, **query} if token else query
        self._reading = reading
        self._inbox = _Inbox()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent = 0
        self._task: asyncio.Task[None] | None = None
        self.close_code: int | None = None
        self.accepted: dict[bytes, bytes] = {}
        self.heard: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        scope = {
            "type": "websocket",
            "path": f"/v1/sessions/{self.session.id}/connect",
            "query_string": urlencode(self._query).encode(),
            "headers": self.headers,
        }
        application: Any = URLRouter(routing.websocket_urlpatterns)
        self._inbox.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(application(scope, self._inbox.get, self._take))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.hang_up()

    async def hang_up(self) -> None:
        """Disconnect as if the network were gone."""
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=TIMEOUT)

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send" and not self._reading:
            await asyncio.Event().wait()
        if event["type"] == "websocket.close":
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": event["code"]})
        self._outbox.put_nowait(event)

    # --- out ----------------------------------------------------------------------------------

    def send(self, **message: Any) -> None:
        self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def send_bytes(self, data: bytes) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "bytes": data})

    def send_audio(self, samples: Samples, *, speaker: str | None = None, step: int = 800) -> None:
        """8 kHz mu-law with timestamps, in frames of ``step`` samples, all at once."""
        for start in range(0, len(samples), step):
            self.send(
                type="audio.input",
                sequence=self._sent // step,
                timestamp_ms=self._sent // 8,
                **({"speaker": speaker} if speaker else {}),
                audio=mulaw(samples[start : start + step]),
            )
            self._sent += step

    # --- in -----------------------------------------------------------------------------------

    async def next(self, *types: str) -> dict[str, Any]:
        """The next message, or the next of one of ``types``. All messages are kept in ``heard``."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                event = await self._outbox.get()
                if event["type"] == "websocket.close":
                    self.close_code = event["code"]
                    raise AssertionError(f"closed with {event['code']} instead: {self.heard}")
                if event["type"] == "websocket.accept":
                    self.accepted = dict(event["headers"])
                    continue
                message: dict[str, Any] = json.loads(event["text"])
                self.heard.append(message)
                if not types or message["type"] in types:
                    return message

    async def closed(self) -> int:
        """The server's close code."""
        async with asyncio.timeout(TIMEOUT):
            while self.close_code is None:
                event = await self._outbox.get()
                if event["type"] == "websocket.close":
                    self.close_code = event["code"]
                elif event["type"] == "websocket.send":
                    self.heard.append(json.loads(event["text"]))
        return self.close_code

    async def gone(self) -> None:
        """Wait until the application has finished with the connection."""
        assert self._task is not None
        async with asyncio.timeout(TIMEOUT):
            await asyncio.wait({self._task})

    async def handled(self) -> None:
        """Like ``ping``, for clients that get no pong."""
        async with asyncio.timeout(TIMEOUT):
            await self._inbox.join()

    async def ping(self) -> None:
        """Wait until everything sent so far has been handled."""
        self.send(type="ping", timestamp_ms=7)
        await self.next("pong")


def mulaw(samples: Samples, channels: int = 1) -> dict[str, Any]:
    """The ``audio`` object of a frame."""
    return {
        "encoding": "mulaw",
        "sample_rate_hz": 8000,
        "channels": channels,
        "payload": base64.b64encode(encode(samples, "mulaw")).decode(),
    }


def stereo(left: Samples, right: Samples) -> Samples:
    """Interleaved."""
    both: Samples = np.stack([left, right], axis=1).reshape(-1)
    return both
