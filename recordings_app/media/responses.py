"""Audio over HTTP: ranges, validators and a safe file name, streamed in chunks."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Generator

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from recordings_app.errors import RecordingExpired
from recordings_app.media import storage
from recordings_app.media.encoding import CONTENT_TYPES
from recordings_app.media.ranges import ByteRange, RangeNotSatisfiable, parse_range
from recordings_app.models import RecordingFile


def disposition(filename: str, *, inline: bool = False) -> str:
    """``filename`` consists of ids and fixed words: nothing in it needs quoting."""
    return f'{"inline" if inline else "attachment"}; filename="{filename}"'


def audio_response(
    request: HttpRequest, file: RecordingFile, filename: str, *, inline: bool = False
) -> HttpResponseBase:
    """The file, or the requested part of it.

    Raises RecordingExpired when it is gone from the storage.
    """
    etag = f'"{file.sha256[:32]}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(filename, inline=inline),
        "Cache-Control": "private",
    }
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    try:
        ranges = _wanted(request, file.size, etag)
    except RangeNotSatisfiable:
        headers["Content-Range"] = f"bytes */{file.size}"
        return HttpResponse(status=416, headers=headers)
    content_type = CONTENT_TYPES[file.format]
    if ranges is None:
        return _streamed(request, file, [ByteRange(0, file.size)], 200, content_type, headers)
    if len(ranges) == 1:
        headers["Content-Range"] = ranges[0].content_range(file.size)
        return _streamed(request, file, ranges, 206, content_type, headers)
    return _multipart(request, file, ranges, content_type, headers)


def _wanted(request: HttpRequest, size: int, etag: str) -> list[ByteRange] | None:
    header = request.headers.get("Range", "")
    if not header or request.headers.get("If-Range", etag) != etag:
        return None
    return parse_range(header, size)


def _multipart(
    request: HttpRequest,
    file: RecordingFile,
    ranges: list[ByteRange],
    content_type: str,
    headers: dict[str, str],
) -> HttpResponseBase:
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n"
        f"Content-Range: {each.content_range(file.size)}\r\n\r\n".encode()
        for each in ranges
    ]
    full_type = f"multipart/byteranges; boundary={boundary}"
    tail = f"\r\n--{boundary}--\r\n".encode()
    return _streamed(request, file, ranges, 206, full_type, headers, heads, tail)


def _streamed(
    request: HttpRequest,
    file: RecordingFile,
    ranges: list[ByteRange],
    status: int,
    content_type: str,
    headers: dict[str, str],
    heads: list[bytes] | None = None,
    tail: bytes = b"",
) -> HttpResponseBase:
    heads = heads or [b""] * len(ranges)
    length = sum(each.length for each in ranges) + sum(map(len, heads)) + len(tail)
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        return HttpResponse(status=status, content_type=content_type, headers=headers)
    chunks = _chunks(file, ranges, heads, tail)
    try:
        first = next(chunks, b"")  # opens the file: a missing one shows before the headers
    except Exception as error:
        if storage.is_gone(error):
            raise RecordingExpired from error
        raise
    whole = _then(first, chunks)
    # Under ASGI Django would read all of a synchronous iterator into memory first.
    body = _off_the_loop(whole) if isinstance(request, ASGIRequest) else whole
    return StreamingHttpResponse(body, status=status, content_type=content_type, headers=headers)


def _chunks(
    file: RecordingFile, ranges: list[ByteRange], heads: list[bytes], tail: bytes
) -> Generator[bytes]:
    for each, head in zip(ranges, heads, strict=True):
        if head:
            yield head
        yield from storage.read(file, each.start, each.length)
    if tail:
        yield tail


def _then(first: bytes, rest: Generator[bytes]) -> Generator[bytes]:
    try:
        yield first
        yield from rest
    finally:
        rest.close()


async def _off_the_loop(chunks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Each chunk is read in a thread. A client that goes away closes the file."""
    try:
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk
    finally:
        await asyncio.to_thread(chunks.close)
