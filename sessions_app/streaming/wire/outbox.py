"""The bounded queue of messages to one client, closed with a code."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from sessions_app.streaming import metrics
from sessions_app.streaming.wire.limits import OUTBOX_BYTES, OUTBOX_MESSAGES

log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """A queue and the task that empties it. ``overflowed`` is called when the client does not
    read: the connection must then be dropped."""

    def __init__(self, send: Send, overflowed: Callable[[], object]) -> None:
        self._send = send
        self.overflowed = False
        self._on_overflow = overflowed
        self._messages: deque[str | bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._code: int | None = None
        self._task = asyncio.create_task(self._run())

    @property
    def closing(self) -> bool:
        return self._code is not None

    def put(self, message: str | bytes) -> None:
        if self._code is not None:
            return
        self._messages.append(message)
        self._bytes += len(message)
        if len(self._messages) > OUTBOX_MESSAGES or self._bytes > OUTBOX_BYTES:
            self._messages.clear()
            self.overflowed = True
            self._on_overflow()
            return
        self._wake.set()

    def close(self, code: int) -> None:
        """Send the waiting messages, then close. Only the first call's code counts."""
        if self._code is None:
            self._code = code
            metrics.CLOSED.labels(str(code)).inc()
            self._wake.set()

    async def _run(self) -> None:
        try:
            while self._code is None or self._messages:
                await self._wake.wait()
                self._wake.clear()
                while self._messages:
                    message = self._messages.popleft()
                    self._bytes -= len(message)
                    kind = "text" if isinstance(message, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: message})
            await self._send({"type": "websocket.close", "code": self._code})
        except Exception as error:
            # The client may be gone at any moment, and servers differ in what they raise then.
            log.info("could not send to a client: %s", type(error).__name__)

    async def finish(self, within: float) -> None:
        """Wait until everything is sent, at most ``within`` seconds, then stop."""
        await asyncio.wait({self._task}, timeout=within if self.closing else 0)
        self._task.cancel()
