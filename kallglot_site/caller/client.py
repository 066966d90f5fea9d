"""The call itself: create a session, stream each party over its own WebSocket, end, fetch.

Frames go out at the pace of speech, as a telephone line delivers them. While a connection is away
every party waits for it, so that the parties stay on one timeline.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from kallglot_site.caller.audio import FRAME_MS, SAMPLE_RATE
from kallglot_site.caller.connection import PartyConnection
from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.heard import Heard
from kallglot_site.caller.rest import RETRY_FOR, Json, Rest
from kallglot_site.caller.tls import tls_context

OnMessage = Callable[[Json], None]

_TRANSCRIPT_TIMEOUT: Final = 120.0
"""Seconds after the end for the transcript to become complete; the server promises a minute."""
_CLOSE_TIMEOUT: Final = 15.0
"""Seconds after the end for the server to send the last finals and close."""
_QUIET: Final = 2.5
"""Seconds without a word after which the parties of a translated call have heard everything."""
_LONGEST_LISTENING: Final = 15.0
"""Seconds that the parties of a translated call listen at most after the last frame."""
_WORDS: Final = frozenset(
    {"transcript.partial", "transcript.final", "translation.final", "audio.output"}
)
_SILENCE: Final = b"\xff" * (SAMPLE_RATE * FRAME_MS // 1000)
_FROM_EVERY_CONNECTION: Final = frozenset(
    {"session.error", "session.warning", "stream.reconnecting"}
)


@dataclass(frozen=True)
class CallPlan:
    """What to play. ``parties`` maps speaker → frames of 100 ms of 8 kHz mu-law."""

    parties: Mapping[str, list[bytes]]
    mode: str = "transcription"
    source: str | None = None
    target: str | None = None
    speed: float = 1.0
    record: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_translated(self) -> bool:
        return self.mode.endswith("_translation")

    @property
    def frames(self) -> int:
        """Frames of the longest party."""
        return max(map(len, self.parties.values()))

    @property
    def duration(self) -> float:
        """Seconds of audio of the longest party."""
        return self.frames * FRAME_MS / 1000


class Caller:
    """One call to one server.

    ``on_message`` gets every message of the first party's connection, and errors, warnings and
    reconnects of the others; ``audio.output`` comes without its audio, which goes to ``heard`` if
    that has the party. ``cacert`` is a PEM file of trusted authorities.
    """

    def __init__(
        self,
        url: str,
        key: str,
        on_message: OnMessage,
        *,
        cacert: Path | None = None,
        heard: Mapping[str, Heard] | None = None,
    ) -> None:
        self._tls = tls_context(cacert)
        self._rest = Rest(url, key, self._tls)
        self._on_message = on_message
        self._heard = heard or {}
        self._words_at = 0.0

    async def play(self, plan: CallPlan) -> Json:
        """The complete transcript, as the API returns it. Raises CallFailed."""
        try:
            session = await self._create(plan)
            self._on_message({"type": "session.created", "session": _without_token(session)})
            try:
                await self._stream(plan, session)
            except BaseException:
                # After Ctrl-C too: else the session stays open until its idle timeout.
                with contextlib.suppress(CallFailed):
                    await self._end(session["id"], "error")
                raise
            return await self._transcript(session["id"])
        finally:
            await self._rest.close()

    async def _create(self, plan: CallPlan) -> Json:
        body: Json = {"mode": plan.mode, "metadata": dict(plan.metadata)}
        if plan.source:
            body["source_language"] = plan.source
        if plan.target:
            body["target_language"] = plan.target
        if plan.record:
            body["recording"] = {"enabled": True, "channels": "dual"}
        return await self._rest.post("/v1/sessions", body)

    async def _stream(self, plan: CallPlan, session: Json) -> None:
        connections = {
            speaker: PartyConnection(
                self._rest,
                self._tls,
                session,
                speaker,
                media_clock=plan.speed != 1.0,
                on_message=partial(self._received, speaker, index == 0),
            )
            for index, speaker in enumerate(plan.parties)
        }
        running = [asyncio.create_task(connection.run()) for connection in connections.values()]
        playing = asyncio.create_task(self._play(plan, connections))
        try:
            # A connection that ends first has failed, or somebody else has ended the session.
            done, _ = await asyncio.wait([playing, *running], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._end(session["id"], "completed", retry_for=RETRY_FOR)
            await asyncio.wait(running, timeout=_CLOSE_TIMEOUT)
        finally:
            for task in (playing, *running):
                task.cancel()
            await asyncio.gather(playing, *running, return_exceptions=True)

    async def _play(self, plan: CallPlan, connections: Mapping[str, PartyConnection]) -> None:
        """Every frame when it has been spoken, and not before. In a translated call the parties
        stay on the line, in silence, until they have heard each other's last words."""
        started = time.monotonic()
        index = 0
        played_at = float("inf")
        while index < plan.frames or (plan.is_translated and self._listens(played_at)):
            due = started + (index + 1) * FRAME_MS / 1000 / plan.speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for speaker, frames in plan.parties.items():
                if index < len(frames) or plan.is_translated:
                    frame = frames[index] if index < len(frames) else _SILENCE
                    # The rest is later by as long as this frame waited for a connection.
                    started += await connections[speaker].send(_audio_input(index, frame))
            index += 1
            if index == plan.frames:
                played_at = time.monotonic()

    def _listens(self, played_at: float) -> bool:
        now = time.monotonic()
        return now < min(max(played_at, self._words_at) + _QUIET, played_at + _LONGEST_LISTENING)

    def _received(self, speaker: str, is_first: bool, message: Json) -> None:
        if message["type"] in _WORDS:
            self._words_at = time.monotonic()
        if speaker in self._heard:
            self._heard[speaker].take(message)
        if is_first or message["type"] in _FROM_EVERY_CONNECTION:
            self._on_message(_without_payload(message))

    async def _transcript(self, session_id: str) -> Json:
        give_up = time.monotonic() + _TRANSCRIPT_TIMEOUT
        while True:
            transcript = await self._rest.get(
                f"/v1/sessions/{session_id}/transcript", retry_for=RETRY_FOR
            )
            if transcript["status"] == "complete":
                return transcript
            if time.monotonic() > give_up:
                raise CallFailed(
                    f"The transcript of {session_id} did not become complete. Is a worker running?"
                )
            await asyncio.sleep(0.25)

    async def _end(self, session_id: str, reason: str, *, retry_for: float = 0.0) -> None:
        await self._rest.post(
            f"/v1/sessions/{session_id}/end", {"reason": reason}, retry_for=retry_for
        )


def _audio_input(index: int, frame: bytes) -> str:
    message: dict[str, Any] = {
        "type": "audio.input",
        "sequence": index,
        "timestamp_ms": index * FRAME_MS,
        "audio": {
            "encoding": "mulaw",
            "sample_rate_hz": SAMPLE_RATE,
            "channels": 1,
            "payload": base64.b64encode(frame).decode("ascii"),
        },
    }
    return json.dumps(message)


def _without_payload(message: Json) -> Json:
    if message["type"] != "audio.output":
        return message
    audio = {name: value for name, value in message["audio"].items() if name != "payload"}
    return {**message, "audio": audio}


def _without_token(session: Json) -> Json:
    return {name: value for name, value in session.items() if name != "stream"}
