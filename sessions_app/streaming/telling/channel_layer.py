"""Receives from other processes which sessions to read again, and events of speech in them."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any, Final

from sessions_app.live_events import (
    PartialTranscript,
    SpeechStarted,
    SpeechStopped,
    SpokenEvent,
    StreamWarning,
    TranslationFailed,
    TranslationPartial,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.notifications import (
    RETRY_AFTER,
    SEND_TIMEOUT,
    group_of,
    origin,
    post,
    shared_layer,
)

log = logging.getLogger(__name__)


class LayerSubscription:
    """This process's subscription to the channel layer. Belongs to one event loop.

    Args:
        on_look: called with a session's id when its rows have changed.
        on_event: called with a session's id and an event of it.
    """

    def __init__(
        self, on_look: Callable[[str], None], on_event: Callable[[str, SpokenEvent], None]
    ) -> None:
        self._on_look = on_look
        self._on_event = on_event
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def follow(self, session_id: str) -> None:
        self._wanted.add(session_id)
        self._changed.set()
        if (self._task is None or self._task.done()) and (layer := shared_layer()) is not None:
            self._task = asyncio.create_task(self._run(layer))

    def unfollow(self, session_id: str) -> None:
        self._wanted.discard(session_id)
        self._changed.set()

    async def close(self) -> None:
        """Unsubscribe; returns when that is done."""
        await cancel_receiver(self._task)

    async def _run(self, layer: Any) -> None:
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
                await layer.group_add(group_of(session_id), channel)
                joined.add(session_id)
                # Notifications sent before the process had joined did not reach it.
                self._on_look(session_id)
            for session_id in joined - self._wanted:
                await layer.group_discard(group_of(session_id), channel)
                joined.discard(session_id)
            if not is_cancelled():
                await self._changed.wait()

    async def _receive(self, layer: Any, channel: str) -> None:
        while not is_cancelled():
            message = await layer.receive(channel)
            if message.get("origin") == origin():
                continue
            if message["type"] == "look":
                self._on_look(message["session"])
            elif (event := event_from_wire(message["event"])) is not None:
                self._on_event(message["session"], event)


def send_event(session_id: str, event: SpokenEvent) -> None:
    """Send ``event`` to the other processes that follow the session, best effort."""
    data = event_to_wire(event)
    if data is not None:
        post(session_id, {"type": "event", "session": session_id, "event": data})


_SENT: Final = {
    kind.__name__: kind
    for kind in (
        SpeechStarted,
        SpeechStopped,
        PartialTranscript,
        StreamWarning,
        TranslationPartial,
        TranslationFailed,
        WordsToSpeak,
        WordsToPassOn,
    )
}


def event_to_wire(event: SpokenEvent) -> dict[str, Any] | None:
    """``event`` as plain data for the channel layer; None: its kind is not sent."""
    kind = type(event).__name__
    if kind not in _SENT:
        return None
    return {"kind": kind, "fields": dataclasses.asdict(event)}


def event_from_wire(data: dict[str, Any]) -> SpokenEvent | None:
    """The reverse; None for kinds that only a newer server knows."""
    kind = _SENT.get(data["kind"])
    try:
        return kind(**data["fields"]) if kind else None
    except TypeError:
        return None


def is_cancelled() -> bool:
    """Whether this task has been cancelled. The Redis client may swallow ``CancelledError`` while
    it cleans up, but the task still counts the request."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def cancel_receiver(task: asyncio.Task[None] | None) -> None:
    """Cancel a task that receives from the channel layer, and wait until it has unsubscribed.

    It is cancelled only once: a second time would interrupt the unsubscribing.
    """
    if task is not None:
        task.cancel()
        await asyncio.wait({task}, timeout=SEND_TIMEOUT)
