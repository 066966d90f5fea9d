"""Server-sent events: the ``data`` of each, from bytes that arrive in any pieces.

Own code, because the well-known clients put no limit on the length of a line.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from sessions_app.engines.failures import EngineUnavailable

LONGEST_EVENT: Final = 1024 * 1024
"""Bytes of one line, and of the data of one event."""


async def event_data(
    chunks: AsyncIterator[bytes], longest: int = LONGEST_EVENT
) -> AsyncGenerator[str, None]:
    """Yield the data of each event; comments and other fields are left out.

    An event that the stream's end cuts off is not yielded. Lines end with LF or CR LF. Raises
    ``EngineUnavailable`` for a line or an event that is too long.
    """
    data: list[bytes] = []
    size = 0
    async for line in _lines(chunks, longest):
        if not line:
            if data:
                yield b"\n".join(data).decode(errors="replace")
            data, size = [], 0
            continue
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
            size += len(value) + 1
            if size > longest:
                raise EngineUnavailable("an event of the answer is too long")


async def _lines(chunks: AsyncIterator[bytes], longest: int) -> AsyncGenerator[bytes, None]:
    buffer = bytearray()
    async for chunk in chunks:
        for piece in chunk.splitlines(keepends=True) if b"\n" in chunk else [chunk]:
            buffer += piece
            if len(buffer) > longest:
                raise EngineUnavailable("a line of the answer is too long")
            if buffer.endswith(b"\n"):
                yield bytes(buffer).rstrip(b"\r\n")
                buffer.clear()
