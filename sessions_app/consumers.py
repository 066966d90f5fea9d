"""The streaming endpoint: authenticate, pump frames, close. No audio work.

Channels would dispatch every message through a task and a thread hop that closes old database
connections; at ten frames a second and call that is most of the work. So the consumer takes the
ASGI channel itself: Channels routes to it and hands it the connection.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qs

from channels.consumer import AsyncConsumer

from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.sockets.handshakes import public_url_of, request_id_of, response_headers
from sessions_app import runtime
from sessions_app.streaming.connection import Connection
from sessions_app.streaming.database import in_database
from sessions_app.streaming.events import Speaker
from sessions_app.streaming.gateway import DELAY_REFUSED, Gateway
from sessions_app.streaming.outbox import Outbox
from sessions_app.streaming.protocols.base import ListeningSpeaker, SessionError
from sessions_app.streaming.protocols.kallglot import KallglotCodec
from sessions_app.streaming.timeline import ClockMode
from sessions_app.streaming.tokens import (
    SPEAKERS,
    StreamGrant,
    StreamTokenRefused,
    stream_token_verify,
)

log = logging.getLogger(__name__)

PROTOCOL_VIOLATION: Final = 4400
WRONG_TOKEN: Final = 4401
TRY_LATER: Final = 1013
SERVER_FAULT: Final = 1011
GOING_AWAY: Final = 1001

CLOSE_WITHIN: Final = 5.0
"""Seconds that a client has to take what is left for it, and the close."""


class Refused(Exception):
    """The connection is closed with ``close_code``, after a session.error that says why."""

    def __init__(
        self, close_code: int, code: str, message: str, type: str, param: str | None = None
    ):
        super().__init__(message)
        self.close_code = close_code
        self.error = SessionError(code, message, param, type)


@dataclass(frozen=True, slots=True)
class Request:
    """What the address and the headers ask for."""

    session_id: str
    token: str
    speaker: ListeningSpeaker
    clock: ClockMode


class StreamConsumer(AsyncConsumer):
    """One client of one session."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        # Accepted first and refused after: only so do browsers see the close code.
        await send({"type": "websocket.accept", "headers": response_headers(scope)})
        logged = {"request_id": request_id_of(scope)}
        task = asyncio.current_task()
        assert task is not None
        outbox = Outbox(send, overflowed=task.cancel)
        try:
            await self._serve(scope, receive, outbox)
        except Refused as refused:
            codec = _codec(scope, "customer", runtime.clock())
            outbox.put(codec.encode(refused.error))
            outbox.close(refused.close_code)
        except asyncio.CancelledError:
            outbox.close(GOING_AWAY)
            if not outbox.overflowed:
                raise  # the server is ending
            task.uncancel()
            log.info("dropped a client that does not read what it is sent", extra=logged)
        except Exception:
            log.exception("a connection failed", extra=logged)
            outbox.close(SERVER_FAULT)
        finally:
            outbox.close(1000)
            await outbox.finish(0.0 if outbox.overflowed else CLOSE_WITHIN)

    async def _serve(self, scope: Any, receive: Any, outbox: Outbox) -> None:
        request = _request(scope)
        gateway = await runtime.gateway()
        with gateway.admitted() as admitted:
            _check_capacity(gateway, request, admitted)
            grant = await _authenticate(request)
            speaker: Speaker = "agent" if request.speaker == "agent" else "customer"
            connection = Connection(
                gateway=gateway,
                session=grant.session,
                codec=_codec(scope, speaker, gateway.clock),
                speaker=request.speaker,
                allowed=grant.speakers,
                clock=request.clock,
                receive=receive,
                outbox=outbox,
            )
            await connection.run()


def _codec(scope: Any, speaker: Speaker, clock: Any) -> KallglotCodec:
    return KallglotCodec(
        session_id=scope["url_route"]["kwargs"]["session_id"],
        speaker=speaker,
        clock=clock.time,
        errors_url=f"{public_url_of(scope)}/errors",
        request_id=request_id_of(scope),
    )


def _request(scope: Any) -> Request:
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    token = query["token"][-1] if "token" in query else _bearer(scope["headers"])
    if not token:
        message = "A stream token is required: ?token=… or Authorization: Bearer …"
        raise Refused(WRONG_TOKEN, "invalid_token", message, "authentication_error")
    speaker = query.get("speaker", ["customer"])[-1]
    if speaker not in SPEAKERS:
        message = f"speaker must be one of {', '.join(SPEAKERS)}."
        raise Refused(
            PROTOCOL_VIOLATION, "invalid_field_value", message, "validation_error", "speaker"
        )
    clock = query.get("clock", ["arrival"])[-1]
    if clock not in ("arrival", "media"):
        message = "clock must be media, or left out."
        raise Refused(
            PROTOCOL_VIOLATION, "invalid_field_value", message, "validation_error", "clock"
        )
    return Request(
        scope["url_route"]["kwargs"]["session_id"],
        token,
        cast(ListeningSpeaker, speaker),
        cast(ClockMode, clock),
    )


def _bearer(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


async def _authenticate(request: Request) -> StreamGrant:
    try:
        grant = await in_database(stream_token_verify, request.token, request.session_id)
    except StreamTokenRefused as refused:
        kind = ERROR_CODES[refused.code].type
        raise Refused(refused.close_code, refused.code, refused.message, kind) from None
    if request.speaker not in grant.speakers:
        message = f"The token does not allow to speak as {request.speaker}."
        raise Refused(WRONG_TOKEN, "invalid_token", message, "authentication_error", "speaker")
    return grant


def _check_capacity(gateway: Gateway, request: Request, admitted: bool) -> None:
    if gateway.draining:
        raise Refused(GOING_AWAY, "service_unavailable", "This server is stopping.", "api_error")
    late = request.speaker != "none" and gateway.expected_delay > DELAY_REFUSED
    if not admitted or late:
        message = "This server is at its capacity. Try again shortly."
        raise Refused(TRY_LATER, "service_unavailable", message, "api_error")
