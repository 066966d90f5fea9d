"""The streaming endpoint: authenticates, runs the connection, closes it. No audio work.

Channels would dispatch every message through a task and a change of thread that closes old database
connections. At ten frames a second per call that would be most of the work, so the consumer reads
the ASGI channel itself, and Channels only routes to it.
"""

import asyncio
import logging
from typing import Any, Final

from channels.consumer import AsyncConsumer

from kallglot_site.api.error_codes import ERROR_CODES
from kallglot_site.sockets import close_codes
from kallglot_site.sockets.handshakes import request_id_of, response_headers
from sessions_app import runtime
from sessions_app.streaming.database import in_database
from sessions_app.streaming.live.gateway import DELAY_REFUSED, Gateway
from sessions_app.streaming.wire.connection import Connection
from sessions_app.streaming.wire.handshake import (
    Handshake,
    HungUp,
    Refused,
    Request,
)
from sessions_app.streaming.wire.outbox import Outbox
from sessions_app.streaming.wire.tokens import StreamGrant, StreamTokenRefused, stream_token_verify

log = logging.getLogger(__name__)

CLOSE_WITHIN: Final = 5.0
"""Seconds that a client has to receive the remaining messages and the close."""


class StreamConsumer(AsyncConsumer):
    """One client of one session."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        # Accept before refusing, because browsers see the close code only then.
        await send({"type": "websocket.accept", "headers": response_headers(scope)})
        logged = {"request_id": request_id_of(scope)}
        task = asyncio.current_task()
        assert task is not None
        outbox = Outbox(send, overflowed=task.cancel)
        handshake = Handshake(scope, runtime.clock().time)
        try:
            await self._serve(handshake, receive, outbox)
        except HungUp:
            pass
        except Refused as refused:
            log.info("refused a connection: %s", refused.error.code, extra=logged)
            for encoded in handshake.codec.encode(refused.error):
                outbox.put(encoded)
            outbox.close(refused.close_code)
        except asyncio.CancelledError:
            outbox.close(close_codes.GOING_AWAY)
            if not outbox.overflowed:
                raise  # the server is ending
            task.uncancel()
            log.info("dropped a client that does not read what it is sent", extra=logged)
        except Exception:
            log.exception("a connection failed", extra=logged)
            outbox.close(close_codes.SERVER_FAULT)
        finally:
            outbox.close(close_codes.NORMAL)
            await outbox.finish(0.0 if outbox.overflowed else CLOSE_WITHIN)

    async def _serve(self, handshake: Handshake, receive: Any, outbox: Outbox) -> None:
        # Before capacity is taken: an unauthenticated client must not occupy a place.
        request = await handshake.request(receive)
        gateway = runtime.gateway()
        with gateway.admitted() as admitted:
            _check_capacity(gateway, request, admitted)
            grant = await _authenticate(request)
            connection = Connection(
                gateway=gateway,
                session=grant.session,
                codec=handshake.codec,
                speaker=request.speaker,
                allowed=grant.speakers,
                clock=request.clock,
                since=request.since,
                receive=receive,
                outbox=outbox,
            )
            await connection.run()


async def _authenticate(request: Request) -> StreamGrant:
    try:
        grant = await in_database(stream_token_verify, request.token, request.session_id)
    except StreamTokenRefused as refused:
        kind = ERROR_CODES[refused.code].type
        raise Refused(refused.close_code, refused.code, refused.message, kind) from None
    if request.speaker not in grant.speakers:
        message = f"The token does not allow speaking as {request.speaker}."
        raise Refused(
            close_codes.NOT_AUTHENTICATED,
            "invalid_token",
            message,
            "authentication_error",
            "speaker",
        )
    return grant


def _check_capacity(gateway: Gateway, request: Request, admitted: bool) -> None:
    if gateway.draining:
        raise Refused(
            close_codes.GOING_AWAY, "service_unavailable", "This server is stopping.", "api_error"
        )
    late = request.speaker != "none" and gateway.expected_delay > DELAY_REFUSED
    if not admitted or late:
        message = "This server is at its capacity. Try again shortly."
        raise Refused(close_codes.TRY_AGAIN_LATER, "service_unavailable", message, "api_error")
