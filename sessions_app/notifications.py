"""Tells every process that a session's rows have changed: "read this session again".

Call ``notify`` in ``transaction.on_commit``. The gateway of this process is notified through the
signal ``session_changed``, other processes through the channel layer. Nothing relies on a
notification: when one is lost (the layer is down, a queue is full, a process is about to end),
followers notice the change at their next poll. With one gateway and an in-memory layer the
worker's changes are always noticed by the poll.
"""

import asyncio
import contextlib
import logging
import os
import threading
import uuid
from typing import Any, Final

from channels.layers import InMemoryChannelLayer, get_channel_layer

from sessions_app import signals

log = logging.getLogger(__name__)

SEND_TIMEOUT: Final = 2.0
RETRY_AFTER: Final = 2.0
OUTBOX_SIZE: Final = 1000

_PROCESS: Final = uuid.uuid4().hex


def notify(session_id: str) -> None:
    """Ask every follower of the session to read it again. From any thread.

    Returns at once and never raises, whatever state the channel layer is in.
    """
    signals.session_changed.send_robust(sender=None, session_id=session_id)
    post(session_id, {"type": "look", "session": session_id})


def post(session_id: str, message: dict[str, Any]) -> None:
    """Send ``message`` to the other processes that follow the session, in the background."""
    global _sender
    try:
        layer = shared_layer()
        if layer is None:
            return
        with _sender_lock:
            if _sender is None or _sender.pid != os.getpid():
                _sender = _Sender(layer)
        _sender.send(group_of(session_id), {**message, "origin": origin()})
    except Exception:
        log.exception("could not notify the followers of session %s", session_id)


def origin() -> str:
    """This process's name in messages. It contains the process id, because a forked child has its
    parent's module state."""
    return f"{_PROCESS}.{os.getpid()}"


def group_of(session_id: str) -> str:
    """The channel layer's group of the processes that follow the session."""
    return f"session.{session_id}"


def shared_layer() -> Any | None:
    """The channel layer, if it reaches other processes."""
    layer = get_channel_layer()
    return None if layer is None or isinstance(layer, InMemoryChannelLayer) else layer


class _Sender:
    """A thread with its own event loop: callers never wait for the network. One per process."""

    def __init__(self, layer: Any) -> None:
        self.pid = os.getpid()
        self._layer = layer
        self._loop = asyncio.new_event_loop()
        self._outbox: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(OUTBOX_SIZE)
        threading.Thread(target=self._run, name="notifications", daemon=True).start()

    def send(self, group: str, message: dict[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self._put, group, message)

    def _put(self, group: str, message: dict[str, Any]) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._outbox.put_nowait((group, message))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._deliver())

    async def _deliver(self) -> None:
        while True:
            group, message = await self._outbox.get()
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._layer.group_send(group, message)
            except Exception as error:
                log.warning("channel layer not reached: %s", type(error).__name__)
                # Messages queued meanwhile are outdated: followers have polled by then.
                await asyncio.sleep(RETRY_AFTER)
                while not self._outbox.empty():
                    self._outbox.get_nowait()


_sender: _Sender | None = None
_sender_lock = threading.Lock()
