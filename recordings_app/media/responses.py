"""Audio over HTTP: ranges, validators and a safe file name, streamed in chunks."""

import secrets
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from kallglot_site import executors
from kallglot_site.executors import ExecutorFull
from recordings_app.errors import RecordingExpired, StorageUnavailable
from recordings_app.media import storage
from recordings_app.media.formats import CONTENT_TYPES
from recordings_app.media.ranges import ByteRange, RangeNotSatisfiable, parse_range
from recordings_app.models import RecordingFile

OPEN_WITHIN: Final = 5.0
"""Seconds that the storage may take to open a file and read its first chunk."""


def disposition(filename: str, *, inline: bool = False) -> str:
    """``filename`` consists of ids and fixed words: nothing in it needs quoting."""
    return f'{"inline" if inline else "attachment"}; filename="{filename}"'


def audio_response(
    request: HttpRequest, file: RecordingFile, filename: str, *, inline: bool = False
) -> HttpResponseBase:
    """The file, or the requested part of it.

    Raises RecordingExpired when it is gone from the storage, and StorageUnavailable.
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
    reader = Reader(_chunks(file, ranges, heads, tail))
    first = _opened(reader)
    # Under ASGI Django would read all of a synchronous iterator into memory first.
    is_async = isinstance(request, ASGIRequest)
    body = _off_the_loop(first, reader) if is_async else _blocking(first, reader)
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


class Reader:
    """Reads chunks, in any thread but one at a time.

    ``close`` does not wait for a read that hangs: the file is closed when that read returns.
    """

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks
        self._lock = threading.Lock()
        self._is_reading = False
        self._is_closed = False

    def next(self) -> bytes:
        """The next chunk. Empty: the end."""
        with self._lock:
            if self._is_closed:
                return b""
            self._is_reading = True
        try:
            return next(self._chunks, b"")
        finally:
            with self._lock:
                self._is_reading = False
                is_closed = self._is_closed
            if is_closed:
                self._chunks.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            is_reading = self._is_reading
        if not is_reading:
            self._chunks.close()


def _opened(reader: Reader) -> bytes:
    """The first chunk, read before the headers are sent: only then can a failure be answered."""
    try:
        return executors.STORAGE.call(OPEN_WITHIN, reader.next)
    except (ExecutorFull, TimeoutError) as error:
        reader.close()
        raise StorageUnavailable from error
    except Exception as error:
        if storage.is_gone(error):
            raise RecordingExpired from error
        raise


def _blocking(chunk: bytes, reader: Reader) -> Iterator[bytes]:
    try:
        while chunk:
            yield chunk
            chunk = reader.next()
    finally:
        reader.close()


async def _off_the_loop(chunk: bytes, reader: Reader) -> AsyncIterator[bytes]:
    """Each chunk is read in a thread. A client that goes away closes the file."""
    try:
        while chunk:
            yield chunk
            chunk = await executors.DOWNLOADS.run(reader.next)
    finally:
        await executors.DOWNLOADS.run(reader.close)
