"""Servers that accept a connection and then do not behave; real sockets on this machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import respx

from sessions_app.engines.base import EngineOverloaded, EngineTimeout
from sessions_app.engines.remote import RemoteEndpoint
from sessions_app.engines.urls import parse_chain

Writer = asyncio.StreamWriter
Behaviour = Callable[[Writer], Awaitable[None]]


async def nothing(writer: Writer) -> None:
    await asyncio.Event().wait()


async def endless_headers(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await every_few_milliseconds(writer)


async def endless_body(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    await every_few_milliseconds(writer)


async def every_few_milliseconds(writer: Writer) -> None:
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def endpoint(behaviour: Behaviour, limit: float) -> AsyncIterator[RemoteEndpoint]:
    """An endpoint with a timeout of ``limit`` seconds; its server answers with ``behaviour``."""
    connections: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        connections.append(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await behaviour(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (url,) = parse_chain(f"openai+http://127.0.0.1:{port}/v1")
    remote = RemoteEndpoint(url, limit)
    try:
        yield remote
    finally:
        await remote.close()
        for connection in connections:
            connection.cancel()
        server.close()


@pytest.mark.parametrize("behaviour", [nothing, endless_headers, endless_body])
async def test_a_request_ends_at_its_timeout_whatever_the_server_does(
    behaviour: Behaviour,
) -> None:
    async with endpoint(behaviour, limit=0.2) as remote, asyncio.timeout(5):
        with pytest.raises(EngineTimeout):
            await remote.post("/audio/transcriptions")


@pytest.mark.parametrize("behaviour", [nothing, endless_headers])
async def test_a_stream_whose_headers_do_not_come_ends_at_its_timeout(
    behaviour: Behaviour,
) -> None:
    async with endpoint(behaviour, limit=0.2) as remote, asyncio.timeout(5):
        with pytest.raises(EngineTimeout):
            async with remote.stream("/audio/speech"):
                pass


async def test_a_caller_that_cancels_is_not_told_of_a_timeout() -> None:
    async with endpoint(nothing, limit=60.0) as remote:
        call = asyncio.create_task(remote.post("/audio/transcriptions"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


@respx.mock
async def test_a_full_connection_pool_is_an_overload() -> None:
    respx.post("http://engine.test/v1/audio/speech").mock(side_effect=httpx.PoolTimeout)
    (url,) = parse_chain("openai+http://engine.test/v1")
    with pytest.raises(EngineOverloaded, match="in use"):
        await RemoteEndpoint(url, 1.0).post("/audio/speech")
