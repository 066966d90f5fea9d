"""A chat completion server on a real socket, scripted from the test.

``script`` gets the request's number (from 0), its JSON body and the connection's writer. The
default streams "Hello there." ``gone`` is set, with the loop's time in ``gone_at``, when a client
closes its connection while an answer is being written.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

Writer = asyncio.StreamWriter
Script = Callable[[int, dict[str, Any], Writer], Coroutine[Any, Any, None]]

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)


def delta(content: str | None = None, finish: str | None = None, **fields: Any) -> bytes:
    """One event of the stream."""
    choice = {"index": 0, "delta": {"content": content, **fields}, "finish_reason": finish}
    return event({"choices": [choice]})


def event(document: Any) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


def usage(prompt: int, completion: int) -> bytes:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": counts})


DONE = b"data: [DONE]\n\n"


async def send(writer: Writer, *pieces: bytes) -> None:
    """Write each piece as an HTTP chunk of its own."""
    for piece in pieces:
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()


async def end(writer: Writer) -> None:
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def answer(writer: Writer, *pieces: bytes) -> None:
    """A whole answer."""
    writer.write(HEAD)
    await send(writer, *pieces)
    await end(writer)


async def status(writer: Writer, code: int, headers: str = "") -> None:
    headers += "Content-Length: 0\r\nConnection: close\r\n"
    writer.write(f"HTTP/1.1 {code} Whatever\r\n{headers}\r\n".encode())
    await writer.drain()


async def hello(number: int, body: dict[str, Any], writer: Writer) -> None:
    await answer(writer, delta("Hello"), delta(" there."), delta(finish="stop"), DONE)


class ChatServer:
    """See the module. ``requests`` are the bodies received, ``headers`` the heads as text."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.port = 0
        self.gone = asyncio.Event()
        self.gone_at = 0.0

    @property
    def url(self) -> str:
        return f"openai+http://:secret-key@127.0.0.1:{self.port}/v1?model=tiny"

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        [length] = re.findall(r"(?im)^content-length: *(\d+)", head)
        self.headers.append(head)
        self.requests.append(json.loads(await reader.readexactly(int(length))))
        number = len(self.requests) - 1
        answering = asyncio.create_task(self.script(number, self.requests[number], writer))
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when="FIRST_COMPLETED")
            if not answering.done() or answering.exception() is not None:
                self.gone_at = asyncio.get_running_loop().time()
                self.gone.set()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


@contextlib.asynccontextmanager
async def chat_server(script: Script = hello) -> AsyncIterator[ChatServer]:
    """A running server."""
    scripted = ChatServer(script)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await scripted.serve(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
