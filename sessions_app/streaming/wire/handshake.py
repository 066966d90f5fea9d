"""Turns a WebSocket upgrade into a request: token, speaker and protocol.

Clients of Kallglot's own protocol send these in the URL and the headers. Telephony vendors send
neither a query string nor custom headers, so their first messages carry them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs

from kallglot_site.sockets.close_codes import NOT_AUTHENTICATED, PROTOCOL_VIOLATION, TOO_LARGE
from kallglot_site.sockets.handshakes import public_url_of, request_id_of
from sessions_app.media import Speaker
from sessions_app.streaming.hearing.timeline import ClockMode
from sessions_app.streaming.wire import limits
from sessions_app.streaming.wire.protocols.base import (
    ArrivalClock,
    Codec,
    ListeningSpeaker,
    ProtocolError,
    SessionError,
    StreamStart,
    StreamStop,
)
from sessions_app.streaming.wire.protocols.kallglot import KallglotCodec
from sessions_app.streaming.wire.protocols.vendors import vendor_codec
from sessions_app.streaming.wire.tokens import SPEAKERS

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """The connection is closed with ``close_code``, after an error that says why."""

    def __init__(
        self, close_code: int, code: str, message: str, type: str, param: str | None = None
    ):
        super().__init__(message)
        self.close_code = close_code
        self.error = SessionError(code, message, param, type)


class HungUp(Exception):
    """The client disconnected before it had sent its token."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for. Not authenticated yet."""

    session_id: str
    token: str = field(repr=False)
    speaker: ListeningSpeaker
    clock: ClockMode
    since: int | None = None
    """The last segment that the client says it has."""


class Handshake:
    """The handshake of one connection. ``codec`` encodes answers; it is the best known so far.

    Args:
        scope: the accepted WebSocket's, routed.
        clock: stamps arriving audio, in seconds.
    """

    def __init__(self, scope: Any, clock: ArrivalClock) -> None:
        self._scope = scope
        self._clock = clock
        self.codec: Codec = self._kallglot("customer")

    async def request(self, receive: Receive) -> Request:
        """Reads no message if the token is in the URL or the headers.

        Raises:
            Refused: the client asks for something unknown, or leaves out something required.
            HungUp: the client has disconnected.
        """
        query = self._scope["query_string"].decode("latin-1")
        bearer = _bearer(self._scope["headers"])
        if not query and not bearer:
            return await self._introduced(receive)
        request = self._asked(parse_qs(query, keep_blank_values=True), bearer)
        self.codec = self._kallglot("agent" if request.speaker == "agent" else "customer")
        return request

    @property
    def _session_id(self) -> str:
        session_id: str = self._scope["url_route"]["kwargs"]["session_id"]
        return session_id

    def _kallglot(self, speaker: Speaker) -> KallglotCodec:
        return KallglotCodec(
            session_id=self._session_id,
            speaker=speaker,
            clock=self._clock,
            errors_url=f"{public_url_of(self._scope)}/errors",
            request_id=request_id_of(self._scope),
        )

    # --- in the address ---------------------------------------------------------------------

    def _asked(self, query: dict[str, list[str]], bearer: str) -> Request:
        token = query["token"][-1] if "token" in query else bearer
        if not token:
            raise _no_token()
        speaker = query.get("speaker", ["customer"])[-1]
        if speaker not in SPEAKERS:
            raise _violation(f"speaker must be one of {', '.join(SPEAKERS)}.", "speaker")
        clock = query.get("clock", ["arrival"])[-1]
        if clock not in ("arrival", "media"):
            raise _violation("clock must be media, or left out.", "clock")
        since = query.get("since", [""])[-1]
        if since and not (since.isascii() and since.isdigit() and len(since) < 10):
            raise _violation("since must be the sequence of a segment, 0 for all.", "since")
        return Request(
            self._session_id,
            token,
            cast(ListeningSpeaker, speaker),
            cast(ClockMode, clock),
            int(since) if since else None,
        )

    # --- in the first messages --------------------------------------------------------------

    async def _introduced(self, receive: Receive) -> Request:
        try:
            async with asyncio.timeout(limits.AUTHENTICATE_WITHIN):
                start = await self._start(receive)
        except TimeoutError:
            raise _no_token() from None
        return Request(self._session_id, start.token, start.speaker, "arrival")

    async def _start(self, receive: Receive) -> StreamStart:
        # A vendor sends its first message at once. Any other client forgot its token.
        async with asyncio.timeout(limits.FIRST_MESSAGE_WITHIN):
            data = await _next(receive)
        codec = vendor_codec(data, clock=self._clock)
        if codec is None:
            raise _no_token()
        self.codec = codec
        for _ in range(limits.MESSAGES_BEFORE_TOKEN):
            try:
                messages = self.codec.decode(data)
            except ProtocolError as error:
                if (error.param or "").startswith("start"):
                    raise _violation(error.message, error.param or "") from None
                messages = []
            for message in messages:
                if isinstance(message, StreamStart):
                    return message
                if isinstance(message, StreamStop):
                    raise HungUp
            data = await _next(receive)
        raise _violation("start must be among the first messages.", "event")


async def _next(receive: Receive) -> str | bytes:
    event = await receive()
    if event["type"] != "websocket.receive":
        raise HungUp
    data: str | bytes = event.get("text") or event.get("bytes") or b""
    if len(data) > limits.LARGEST_MESSAGE:
        message = "A frame may hold 64 KiB at most."
        raise Refused(TOO_LARGE, "invalid_field_value", message, "validation_error")
    return data


def _bearer(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


def _no_token() -> Refused:
    message = "A stream token is required: ?token=… or Authorization: Bearer …"
    return Refused(NOT_AUTHENTICATED, "invalid_token", message, "authentication_error")


def _violation(message: str, param: str) -> Refused:
    return Refused(PROTOCOL_VIOLATION, "invalid_field_value", message, "validation_error", param)
