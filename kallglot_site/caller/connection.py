"""One party's WebSocket, which is opened again with a fresh token when it is lost."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import websockets
from websockets.asyncio.client import ClientConnection, connect

from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.rest import RETRY_FOR, Json, Rest, TryLater, retry_delay
from kallglot_site.caller.tls import tls_fault

_COUNTED: Final = frozenset({"session.ready", "transcript.final"})
"""Messages whose ``sequence`` is that of the last segment sent."""
_ENDED: Final = frozenset({1000, 4409})
_RECONNECT: Final = {
    1001: "the server is being stopped",
    1005: "the connection was closed without a code",
    1006: "the connection was lost",
    1011: "the server failed",
    1012: "the server is being restarted",
    1013: "the server is at its capacity",
    1014: "the proxy did not reach the server",
    4408: "the server received nothing in time",
}
_REFUSED: Final = {
    1009: "a frame was too large",
    4400: "the server found the messages malformed",
    4401: "the stream token was refused",
    4404: "the server knows no such session",
    4410: "a newer connection speaks for this party",
    4413: "a frame was too large",
    4429: "frames came too fast",
}
_TRY_LATER: Final = frozenset({429, 502, 503, 504})


class PartyConnection:
    """Speaks for one party until the session has ended.

    ``on_message`` gets the server's messages, without the errors with which it refuses to connect.
    For each lost connection it gets ``stream.reconnecting``: ``speaker``, ``code``, ``reason``.
    """

    def __init__(
        self,
        rest: Rest,
        tls: ssl.SSLContext,
        session: Json,
        speaker: str,
        *,
        media_clock: bool,
        on_message: Callable[[Json], None],
    ) -> None:
        self._rest = rest
        self._tls = tls
        self._session_id: str = session["id"]
        self._stream: Json | None = session["stream"]
        self._speaker = speaker
        self._query = f"?speaker={speaker}" + ("&clock=media" if media_clock else "")
        self._on_message = on_message
        self._socket: ClientConnection | None = None
        self._since: int | None = None  # the last segment received
        self._ready = asyncio.Event()
        self._was_ready = False

    async def send(self, message: str) -> float:
        """Send as soon as there is a connection. Returns the seconds waited for one.

        After the session has ended this never returns: cancel it when ``run`` returns.
        """
        began = time.monotonic()
        while True:
            await self._ready.wait()
            waited = time.monotonic() - began
            assert self._socket is not None
            try:
                await self._socket.send(message)
            except websockets.ConnectionClosed:
                self._ready.clear()  # ``run`` learns the code and reconnects
            else:
                return waited

    async def run(self) -> None:
        """Receive until the session has ended. Raises CallFailed.

        Reconnecting may take RETRY_FOR seconds each time. Finals that were committed meanwhile
        follow, each once.
        """
        attempt, give_up = 0, time.monotonic() + RETRY_FOR
        while self._stream is not None:
            self._was_ready = False
            code, reason = await self._attempt(self._stream)
            if code in _ENDED:
                return
            if self._was_ready:
                attempt, give_up = 0, time.monotonic() + RETRY_FOR
            attempt += 1
            delay = retry_delay(attempt)
            if time.monotonic() + delay > give_up:
                raise CallFailed(f"The stream was lost: {reason} (close code {code}).")
            if attempt == 1:
                self._report_reconnecting(code, reason)
            await asyncio.sleep(delay)
            self._stream = await self._fresh_stream(give_up)

    def _report_reconnecting(self, code: int, reason: str) -> None:
        self._on_message(
            {
                "type": "stream.reconnecting",
                "speaker": self._speaker,
                "code": code,
                "reason": reason,
            }
        )

    async def _fresh_stream(self, give_up: float) -> Json | None:
        """Address and token for another connection; None: the session has ended."""
        session = await self._rest.get(
            f"/v1/sessions/{self._session_id}", retry_for=give_up - time.monotonic()
        )
        stream: Json | None = session.get("stream")
        return stream

    async def _attempt(self, stream: Json) -> tuple[int, str]:
        """One connection until it closes: its close code, and in words why. Raises CallFailed."""
        try:
            self._socket = await self._connect(stream)
        except TryLater as error:
            return 1006, str(error)
        refusal = ""
        try:
            async for frame in self._socket:
                message = json.loads(frame)
                if message["type"] == "session.ready":
                    self._was_ready = True
                    self._ready.set()
                if message["type"] in _COUNTED:
                    self._since = message.get("sequence", self._since)
                if message["type"] == "session.error" and not self._was_ready:
                    # Of interest only if this is the last attempt.
                    refusal = f" {message['error']['message']}"
                else:
                    self._on_message(message)
        except websockets.ConnectionClosedError:
            pass  # the code is looked at below
        finally:
            self._ready.clear()
            await self._socket.close()
        code = self._socket.close_code or 1006
        if code in _ENDED:
            return code, ""
        if code in _RECONNECT:
            return code, _RECONNECT[code]
        reason = _REFUSED.get(code, "the server closed it")
        raise CallFailed(f"The stream ended early: {reason} (close code {code}).{refusal}")

    async def _connect(self, stream: Json) -> ClientConnection:
        url: str = stream["url"]
        since = "" if self._since is None else f"&since={self._since}"
        options: dict[str, Any] = {"ssl": self._tls} if url.startswith("wss:") else {}
        try:
            return await connect(
                url + self._query + since,
                additional_headers={"Authorization": f"Bearer {stream['token']}"},
                compression=None,
                proxy=None,
                max_size=None,
                **options,
            )
        except (OSError, websockets.WebSocketException) as error:
            if fault := tls_fault(error, url):
                raise CallFailed(fault) from None
            text = (
                f"Cannot connect to {url}: {error}. KALLGLOT_STREAM_URL on the server says what "
                "address it hands out."
            )
            if isinstance(error, websockets.InvalidStatus):
                may_succeed_later = error.response.status_code in _TRY_LATER
            else:
                # An address that never answered is a wrong one.
                may_succeed_later = self._socket is not None
            raise (TryLater if may_succeed_later else CallFailed)(text) from None
