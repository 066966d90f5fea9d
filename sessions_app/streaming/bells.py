"""Doorbells between processes: "look again at this session", through the channel layer.

Nothing here is relied upon: a bell that is not heard (the layer down, a queue full, a process
about to end) costs its listeners one poll interval. In the small size there is one gateway and
an in-memory layer: bells ring within the process, and the worker's changes are polled.
"""

import asyncio
import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Callable
from typing import Any, Final

from channels.layers import InMemoryChannelLayer, get_channel_layer

from sessions_app.streaming.news import SpokenEvent, event_from_wire, event_to_wire

log = logging.getLogger(__name__)

SEND_TIMEOUT: Final = 2.0
RETRY_AFTER: Final = 2.0
OUTBOX_SIZE: Final = 1000

_ORIGIN: Final = uuid.uuid4().hex
_look_here: Callable[[str], bool] | None = None


def install(look: Callable[[str], bool]) -> None:
    """``look`` tells this process's hub, from any thread; False when the hub is gone."""
    global _look_here
    _look_here = look


def ring(session_id: str) -> None:
    """Everyone who follows the session: look again. For ``transaction.on_commit``, any thread.

    Returns at once and never raises, whatever state the channel layer is in.
    """
    if _look_here is not None:
        _look_here(session_id)
    _send(session_id, {"type": "look", "session": session_id, "origin": _origin()})


def _origin() -> str:
    # A forked child has its parent's module state and is another process all the same.
    return f"{_ORIGIN}.{os.getpid()}"


def _group(session_id: str) -> str:
    return f"session.{session_id}"


def shared_layer() -> Any | None:
    """The channel layer, if it reaches beyond this process."""
    layer = get_channel_layer()
    return None if layer is None or isinstance(layer, InMemoryChannelLayer) else layer


# --- sending -----------------------------------------------------------------------------------


class _Postman:
    """A thread with an event loop of its own: callers never wait for the network."""

    def __init__(self, layer: Any) -> None:
        self.pid = os.getpid()
        self._layer = layer
        self._loop = asyncio.new_event_loop()
        self._outbox: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(OUTBOX_SIZE)
        threading.Thread(target=self._run, name="doorbells", daemon=True).start()

    def post(self, group: str, message: dict[str, Any]) -> None:
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
                # What piled up meanwhile is stale: listeners have polled by then.
                await asyncio.sleep(RETRY_AFTER)
                while not self._outbox.empty():
                    self._outbox.get_nowait()


_postman: _Postman | None = None
_lock = threading.Lock()


def _send(session_id: str, message: dict[str, Any]) -> None:
    global _postman
    try:
        layer = shared_layer()
        if layer is None:
            return
        with _lock:
            if _postman is None or _postman.pid != os.getpid():
                _postman = _Postman(layer)
        _postman.post(_group(session_id), message)
    except Exception:
        log.exception("could not ring for session %s", session_id)


def is_cancelled() -> bool:
    """Whether this task was told to end. The Redis client may swallow the exception that says so
    while it tidies up; the task's own count still knows."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def let_go(task: asyncio.Task[None] | None) -> None:
    """End a task that receives from the channel layer, and give it the time to say so there.

    It is cancelled once: a second time, as when the loop ends, would interrupt its unsubscribing.
    """
    if task is not None:
        task.cancel()
        await asyncio.wait({task}, timeout=SEND_TIMEOUT)


# --- receiving ---------------------------------------------------------------------------------


class Bells:
    """What this process hears from others, on the hub's event loop."""

    def __init__(
        self, on_look: Callable[[str], None], on_event: Callable[[str, SpokenEvent], None]
    ) -> None:
        self._on_look = on_look
        self._on_event = on_event
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def listen(self, session_id: str) -> None:
        self._wanted.add(session_id)
        self._changed.set()
        if (self._task is None or self._task.done()) and (layer := shared_layer()) is not None:
            self._task = asyncio.create_task(self._keep_listening(layer))

    def unlisten(self, session_id: str) -> None:
        self._wanted.discard(session_id)
        self._changed.set()

    def send_event(self, session_id: str, event: SpokenEvent) -> None:
        data = event_to_wire(event)
        if data is not None:
            message = {"type": "event", "session": session_id, "origin": _origin(), "event": data}
            _send(session_id, message)

    async def close(self) -> None:
        await let_go(self._task)

    async def _keep_listening(self, layer: Any) -> None:
        while not is_cancelled():
            try:
                channel = await layer.new_channel("gateway.")
                if is_cancelled():
                    return
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._keep_groups(layer, channel))
                    tasks.create_task(self._receive(layer, channel))
            except Exception as error:
                if is_cancelled():
                    return
                log.warning("channel layer not reached: %s", type(error).__name__)
                await asyncio.sleep(RETRY_AFTER)

    async def _keep_groups(self, layer: Any, channel: str) -> None:
        """Be a member of exactly the groups of the sessions followed here."""
        joined: set[str] = set()
        while not is_cancelled():
            self._changed.clear()
            for session_id in self._wanted - joined:
                await layer.group_add(_group(session_id), channel)
                joined.add(session_id)
                # Whatever was rung while joining has been missed.
                self._on_look(session_id)
            for session_id in joined - self._wanted:
                await layer.group_discard(_group(session_id), channel)
                joined.discard(session_id)
            if not is_cancelled():
                await self._changed.wait()

    async def _receive(self, layer: Any, channel: str) -> None:
        while not is_cancelled():
            message = await layer.receive(channel)
            if message.get("origin") == _origin():
                continue
            if message["type"] == "look":
                self._on_look(message["session"])
            elif (event := event_from_wire(message["event"])) is not None:
                self._on_event(message["session"], event)
