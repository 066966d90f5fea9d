"""A server in this process that speaks the documented API and does what a test's script says.

Its WebSockets take as many frames as the script gives each connection and then close with the
script's code; the last one takes everything until the session is ended over REST.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

Json = dict[str, Any]


@dataclass(frozen=True)
class Drop:
    """What one connection does: take ``frames``, commit a final, close with ``code``.

    Code 1006 stops without a closing handshake. ``status`` refuses the upgrade. ``error`` accepts
    it, sends that text as ``session.error`` and closes.
    """

    code: int
    frames: int = 0
    status: int | None = None
    error: str | None = None


@dataclass
class ScriptedServer:
    """``script`` maps speaker → what its connections do, in order; then one that stays."""

    script: dict[str, list[Drop]] = field(default_factory=dict)
    url: str = ""
    tokens: list[str] = field(default_factory=list)
    """Every token that a connection came with."""
    issued: int = 0
    frames: dict[str, list[int]] = field(default_factory=dict)
    """``sequence`` of all frames received, by speaker."""
    finals: list[Json] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    end_reason: str | None = None
    rest_failures: list[int] = field(default_factory=list)
    """Statuses with which the next REST requests after the creation are refused."""

    async def __call__(self, scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._rest(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connection(scope, receive, send)

    async def _rest(self, scope: Json, receive: Any, send: Any) -> None:
        body = (await receive()).get("body") or b"{}"
        status, answer = 200, self._answer(scope, json.loads(body))
        if self.rest_failures and scope["path"] != "/v1/sessions":
            status, answer = self.rest_failures.pop(0), {}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _answer(self, scope: Json, body: Json) -> Json:
        match scope["path"].rsplit("/", 1)[1]:
            case "end":
                self.end_reason = body["reason"]
                self.ended.set()
                return {"id": "sess_1", "status": "ended"}
            case "transcript":
                return {"status": "complete", "segments": self.finals}
        session: Json = {"id": "sess_1", "mode": "transcription"}
        if not self.ended.is_set():
            self.issued += 1
            url = self.url.replace("http", "ws", 1) + "/v1/sessions/sess_1/connect"
            session["stream"] = {"url": url, "token": f"kst_test_{self.issued}"}
        return session

    async def _connection(self, scope: Json, receive: Any, send: Any) -> None:
        query = dict(parse_qsl(scope["query_string"].decode()))
        speaker = query.get("speaker", "customer")
        todo = self.script.get(speaker, [])
        drop = todo.pop(0) if todo else None
        await receive()
        if drop is not None and drop.status is not None:
            await send(
                {"type": "websocket.http.response.start", "status": drop.status, "headers": []}
            )
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        self.tokens.append(dict(scope["headers"])[b"authorization"].decode().split()[1])
        await send({"type": "websocket.accept"})
        if drop is not None and drop.error is not None:
            refusal = {"type": "session.error", "error": {"message": drop.error}}
            await send({"type": "websocket.send", "text": json.dumps(refusal)})
            await send({"type": "websocket.close", "code": drop.code})
            return
        since = int(query.get("since", 0))
        for message in ({"type": "session.ready", "sequence": since}, *self.finals[since:]):
            await send({"type": "websocket.send", "text": json.dumps(message)})
        taking = asyncio.create_task(self._take(speaker, drop, receive, send))
        ending = asyncio.create_task(self.ended.wait())
        await asyncio.wait([taking, ending], return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
        ending.cancel()
        code = drop.code if drop is not None and not self.ended.is_set() else 1000
        if code == 1006:
            raise ConnectionAbortedError("scripted")
        await send({"type": "websocket.close", "code": code})

    async def _take(self, speaker: str, drop: Drop | None, receive: Any, send: Any) -> None:
        taken = self.frames.setdefault(speaker, [])
        count = 0
        while drop is None or count < drop.frames:
            message = json.loads((await receive())["text"])
            if message["type"] == "session.end":
                self.end_reason = message.get("reason")
                self.ended.set()
                return
            taken.append(message["sequence"])
            count += 1
        final = {
            "type": "transcript.final",
            "id": f"seg_{len(self.finals)}",
            "sequence": len(self.finals) + 1,
            "speaker": speaker,
            "text": "My parcel is late.",
            "start_time": 0.0,
        }
        self.finals.append(final)
        await send({"type": "websocket.send", "text": json.dumps(final)})


@contextlib.asynccontextmanager
async def served(server: ScriptedServer, certificate: Path | None = None) -> AsyncIterator[None]:
    """Serve it on a free port of this machine, over TLS with a certificate and its key."""
    config = uvicorn.Config(
        server,
        port=0,
        log_config=None,  # it would change loggers for the tests after this one
        lifespan="off",
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
    )
    process = uvicorn.Server(config)
    serving = asyncio.create_task(process.serve())
    try:
        while not process.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = process.servers[0].sockets[0].getsockname()[1]
        server.url = f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
        yield
    finally:
        process.should_exit = process.force_exit = True
        await serving
