"""Carries listening in between processes: announcements of interest, and audio.

It uses its own channel of the channel layer and sends from the gateway's event loop: when the
layer is slow, waiting audio is dropped, and notifications are not delayed. Audio is sent only to
processes that have announced interest, directly to their channels. A single gateway needs none of
this.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import Any, Final

from sessions_app.media import PlacedFrame, audio_format
from sessions_app.notifications import RETRY_AFTER, SEND_TIMEOUT, shared_layer
from sessions_app.streaming.telling.channel_layer import cancel_receiver, is_cancelled
from sessions_app.streaming.telling.monitors import Monitors

log = logging.getLogger(__name__)

WAITING_BYTES: Final = 1024 * 1024
"""Audio that may wait for the channel layer. When more waits, all of it is outdated and dropped."""

GROUP: Final = "monitors"


class LayerRelay:
    """A ``monitors.Relay``. Belongs to one event loop."""

    def __init__(self, monitors: Monitors) -> None:
        self._monitors = monitors
        self._channel: str | None = None
        self._announcement: list[str] | None = None
        self._frames: dict[str, list[list[Any]]] = {}
        self._waiting = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if (self._task is None or self._task.done()) and (layer := shared_layer()) is not None:
            self._task = asyncio.create_task(self._run(layer))

    def announce(self, session_ids: Collection[str]) -> None:
        self._announcement = list(session_ids)
        self._wake.set()

    def send(self, process: str, session_id: str, frame: PlacedFrame) -> None:
        if self._waiting + len(frame.payload) > WAITING_BYTES:
            self._drop()
        # Frames that come while a message is being sent go into the next one together.
        self._frames.setdefault(process, []).append(frame_to_wire(session_id, frame))
        self._waiting += len(frame.payload)
        self._wake.set()

    async def close(self) -> None:
        await cancel_receiver(self._task)

    def _drop(self) -> None:
        self._frames, self._waiting = {}, 0

    async def _run(self, layer: Any) -> None:
        while not is_cancelled():
            try:
                self._channel = await layer.new_channel("monitors.")
                await layer.group_add(GROUP, self._channel)
                if is_cancelled():
                    return
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(layer, self._channel))
                    tasks.create_task(self._deliver(layer, self._channel))
            except Exception as error:
                if is_cancelled():
                    return
                log.warning("channel layer not reached: %s", type(error).__name__)
                await asyncio.sleep(RETRY_AFTER)
                self._drop()

    async def _deliver(self, layer: Any, channel: str) -> None:
        while not is_cancelled():
            await self._wake.wait()
            self._wake.clear()
            async with asyncio.timeout(SEND_TIMEOUT):
                if self._announcement is not None:
                    sessions, self._announcement = self._announcement, None
                    message = {"type": "announcement", "process": channel, "sessions": sessions}
                    await layer.group_send(GROUP, message)
                frames = self._frames
                self._drop()
                for process, waiting in frames.items():
                    await layer.send(process, {"type": "audio", "frames": waiting})

    async def _receive(self, layer: Any, channel: str) -> None:
        while not is_cancelled():
            message = await layer.receive(channel)
            if message["type"] == "announcement" and message["process"] != channel:
                self._monitors.heard_announcement(message["process"], message["sessions"])
            elif message["type"] == "audio":
                for data in message["frames"]:
                    if (heard := frame_from_wire(data)) is not None:
                        self._monitors.heard_audio(*heard)


def frame_to_wire(session_id: str, frame: PlacedFrame) -> list[Any]:
    """``frame`` as plain data for the channel layer."""
    format = frame.format
    return [
        session_id,
        frame.speaker,
        format.encoding,
        format.sample_rate,
        frame.start,
        frame.duration,
        frame.payload,
    ]


def frame_from_wire(data: list[Any]) -> tuple[str, PlacedFrame] | None:
    """The reverse; None for kinds that only a newer server knows."""
    try:
        session_id, speaker, encoding, sample_rate, start, duration, payload = data
        format = audio_format(encoding, sample_rate, 1)
    except ValueError:
        return None
    return session_id, PlacedFrame(speaker, format, payload, start, duration)
