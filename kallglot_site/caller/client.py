"""The call itself: create a session, stream each party over its own WebSocket, end, fetch.

Frames go out at their time, as a telephone line delivers them; what the server says is handed to
``on_message`` as it comes.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from kallglot_site.caller.audio import FRAME_MS, SAMPLE_RATE
from kallglot_site.caller.errors import CallFailed

Json = dict[str, Any]
OnMessage = Callable[[Json], None]

_CLOSE_CODES = {
    4400: "the server found the messages malformed",
    4401: "the stream token was refused",
    4404: "the server knows no such session",
    4408: "the server received nothing in time",
    4409: "the session has ended",
    4410: "a newer connection speaks for this party",
    4413: "a frame was too large",
    4429: "frames came too fast",
    1001: "the server is going away",
    1011: "the server failed",
}
_TRANSCRIPT_PATIENCE = 120.0  # seconds after the end; the server promises a minute
_CLOSING_PATIENCE = 15.0


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
    def duration(self) -> float:
        """Seconds of audio of the longest party."""
        return max(map(len, self.parties.values())) * FRAME_MS / 1000


class Caller:
    """One call against one server. ``on_message`` gets every message of the first connection."""

    def __init__(self, url: str, key: str, on_message: OnMessage) -> None:
        self._url = url.rstrip("/")
        self._on_message = on_message
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
        )

    async def play(self, plan: CallPlan) -> Json:
        """The complete transcript, as the API returns it. Raises CallFailed."""
        async with self._http:
            session = await self._create(plan)
            self._on_message({"type": "session.created", "session": _without_token(session)})
            try:
                await self._stream(plan, session)
            except BaseException:
                # Also when interrupted: a call that nobody is on should not wait for its timeout.
                with contextlib.suppress(CallFailed):
                    await self._end(session["id"], "error")
                raise
            return await self._transcript(session["id"])

    async def _create(self, plan: CallPlan) -> Json:
        body: Json = {"mode": plan.mode, "metadata": dict(plan.metadata)}
        if plan.source:
            body["source_language"] = plan.source
        if plan.target:
            body["target_language"] = plan.target
        if plan.record:
            body["recording"] = {"enabled": True, "channels": "dual"}
        return await self._post("/v1/sessions", body)

    async def _stream(self, plan: CallPlan, session: Json) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connections = {}
            for speaker in plan.parties:
                connections[speaker] = await self._connect(stack, session, speaker, plan)
            listening = [
                asyncio.create_task(self._listen(connection, first=index == 0))
                for index, connection in enumerate(connections.values())
            ]
            sending = asyncio.gather(
                *(
                    _send(connection, plan.parties[speaker], plan.speed)
                    for speaker, connection in connections.items()
                )
            )
            try:
                await _all_sent(sending, listening)
                await self._end(session["id"], "completed")
                await asyncio.wait(listening, timeout=_CLOSING_PATIENCE)
            finally:
                sending.cancel()
                for task in listening:
                    task.cancel()

    async def _connect(
        self, stack: contextlib.AsyncExitStack, session: Json, speaker: str, plan: CallPlan
    ) -> ClientConnection:
        address = f"{session['stream']['url']}?speaker={speaker}"
        if plan.speed != 1.0:
            address += "&clock=media"
        try:
            return await stack.enter_async_context(
                connect(
                    address,
                    additional_headers={"Authorization": f"Bearer {session['stream']['token']}"},
                    compression=None,
                    proxy=None,
                    max_size=None,
                )
            )
        except (OSError, websockets.WebSocketException) as error:
            raise CallFailed(
                f"Cannot connect to {session['stream']['url']}: {error}. "
                "KALLGLOT_STREAM_URL on the server says what address it hands out."
            ) from None

    async def _listen(self, connection: ClientConnection, *, first: bool) -> None:
        """Every connection is read, since a client that never reads is dropped; one is shown."""
        try:
            async for frame in connection:
                message = json.loads(frame)
                if first or message["type"] in {"session.error", "session.warning"}:
                    self._on_message(message)
        except websockets.ConnectionClosedError:
            pass  # the code is looked at below
        code = connection.close_code
        if code not in {1000, 4409}:
            reason = _CLOSE_CODES.get(code or 0, "the connection was lost")
            raise CallFailed(f"The stream ended early: {reason} (close code {code}).")

    async def _transcript(self, session_id: str) -> Json:
        deadline = time.monotonic() + _TRANSCRIPT_PATIENCE
        while True:
            transcript = await self._get(f"/v1/sessions/{session_id}/transcript")
            if transcript["status"] == "complete":
                return transcript
            if time.monotonic() > deadline:
                raise CallFailed(
                    f"The transcript of {session_id} did not become complete. Is a worker running?"
                )
            await asyncio.sleep(0.25)

    async def _end(self, session_id: str, reason: str) -> None:
        await self._post(f"/v1/sessions/{session_id}/end", {"reason": reason})

    async def _get(self, path: str) -> Json:
        return await self._request("GET", path, None)

    async def _post(self, path: str, body: Json) -> Json:
        return await self._request("POST", path, body)

    async def _request(self, method: str, path: str, body: Json | None) -> Json:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.ConnectError:
            raise CallFailed(
                f"Nothing answers at {self._url}. Start it with `make run`, or name another "
                "server with --url."
            ) from None
        except httpx.HTTPError as error:
            raise CallFailed(f"{method} {self._url}{path} failed: {error!r}") from None
        if answer.is_success:
            result: Json = answer.json()
            return result
        raise CallFailed(_refusal(answer))


def _refusal(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        text = f"{error['message']} ({error['code']}, request {error['request_id']})"
    except (ValueError, KeyError, TypeError):
        text = f"HTTP {answer.status_code}: is this a Kallglot server?"
    return f"The server refused: {text}"


async def _all_sent(
    sending: "asyncio.Future[list[None]]", listening: list["asyncio.Task[None]"]
) -> None:
    """Until all audio is out; a listener that fails before that fails the call."""
    waiting: set[asyncio.Future[Any]] = {sending, *listening}
    while not sending.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not any(task in waiting for task in listening):
            return
    sending.result()


async def _send(connection: ClientConnection, frames: list[bytes], speed: float) -> None:
    """Every frame at its time: when frame n was spoken, and not before."""
    started = time.monotonic()
    for index, frame in enumerate(frames):
        due = started + (index + 1) * FRAME_MS / 1000 / speed
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        message = {
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
        try:
            await connection.send(json.dumps(message))
        except websockets.ConnectionClosed:
            return  # the listener knows the code, and whether it is a failure


def _without_token(session: Json) -> Json:
    return {name: value for name, value in session.items() if name != "stream"}
