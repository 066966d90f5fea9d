"""Sends many paced WebSocket streams from one process with little CPU.

Frames are masked with a key of zeros, so that one prepared text serves every connection. The 100 ms
are divided into slices, and each connection sends in one of them. Reads a plan as JSON on standard
input and prints the results as JSON.
"""

import asyncio
import base64
import functools
import json
import os
import struct
import sys
import time
from typing import Any
from urllib.parse import urlsplit

FRAME_SECONDS = 0.1
SLICES = 20
PING_EVERY = 10  # frames


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """A client's WebSocket frame (RFC 6455, 5.2) with a mask that changes nothing."""
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    else:
        header = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    return header + b"\0\0\0\0" + payload


class Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, url: str, audio: list[str]) -> None:
        self.url = urlsplit(url)
        self.audio = audio
        self.sent = 0
        self.ready = asyncio.Event()
        self.opened = asyncio.Event()
        self.closed: int | None = None
        self.pongs: list[tuple[float, float]] = []  # (when, latency)
        self.finals: list[float] = []  # seconds from the end of speech
        self.warnings: dict[str, int] = {}
        self.began = 0.0
        self._buffer = b""
        self._upgraded = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        path = f"{self.url.path}?{self.url.query}"
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: {self.url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = self.closed or 1006
        self.ready.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.transport.close()
                return
            self._upgraded, self._buffer = True, rest
        while (frame := self._frame()) is not None:
            self._handle(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return None
        self._buffer = buffer[start + size :]
        return buffer[0] & 0x0F, buffer[start : start + size]

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == 8:
            self.closed = int.from_bytes(payload[:2], "big")
            self.transport.close()
        elif opcode == 9:
            self.transport.write(masked(payload, 10))
        elif opcode == 1:
            message = json.loads(payload)
            now = time.perf_counter()
            kind = message["type"]
            if kind == "pong":
                self.pongs.append((now, now - message["timestamp_ms"] / 1000))
            elif kind == "session.ready":
                self.ready.set()
            elif kind == "transcript.final":
                self.finals.append(now - self.began - message["end_time"])
            elif kind in ("session.warning", "session.error"):
                code = message.get("code") or message["error"]["code"]
                self.warnings[code] = self.warnings.get(code, 0) + 1

    def send_next(self) -> None:
        """Send one frame of 100 ms; every second also a ping."""
        if self.transport.is_closing():
            return
        if not self.sent:
            self.began = time.perf_counter() - FRAME_SECONDS
        payload = self.audio[self.sent % len(self.audio)]
        data = masked(
            (
                f'{{"type":"audio.input","sequence":{self.sent},'
                f'"timestamp_ms":{self.sent * 100},"audio":{{"encoding":"mulaw",'
                f'"sample_rate_hz":8000,"channels":1,"payload":"{payload}"}}}}'
            ).encode()
        )
        if self.sent % PING_EVERY == 0:
            stamp = time.perf_counter() * 1000
            data += masked(f'{{"type":"ping","timestamp_ms":{stamp:.3f}}}'.encode())
        self.transport.write(data)
        self.sent += 1


async def pace(streams: list[Stream], until: float) -> float:
    """Send on all streams until then. Returns the client's largest delay in seconds."""
    groups = [streams[slice_::SLICES] for slice_ in range(SLICES)]
    tick = FRAME_SECONDS / SLICES
    started = time.perf_counter()
    number, behind = 0, 0.0
    while (now := time.perf_counter()) < until:
        due = started + number * tick
        if now < due:
            await asyncio.sleep(due - now)
        behind = max(behind, time.perf_counter() - due)
        for stream in groups[number % SLICES]:
            stream.send_next()
        number += 1
        await asyncio.sleep(0)
    return behind


def _itself(stream: Stream) -> Stream:
    return stream


async def main() -> None:
    plan = json.loads(sys.stdin.readline())
    speech = plan["speech"]
    loop = asyncio.get_running_loop()
    streams: list[Stream] = []
    for number, url in enumerate(plan["urls"]):
        stream = Stream(url, speech[number] if number < len(speech) else plan["silence"])
        host, port = stream.url.hostname, stream.url.port
        assert host is not None
        assert port is not None
        await loop.create_connection(functools.partial(_itself, stream), host, port)
        streams.append(stream)
        if len(streams) % 20 == 0:
            await asyncio.wait_for(streams[-20].ready.wait(), 120)
    for stream in streams:
        await asyncio.wait_for(stream.ready.wait(), 120)
    print("ready", flush=True)
    until = time.perf_counter() + plan["warmup"] + plan["seconds"]
    measured_from = time.perf_counter() + plan["warmup"]
    behind = await pace(streams, until)
    await asyncio.sleep(3.0)
    result = {
        "pongs": [lag for s in streams for when, lag in s.pongs if when >= measured_from],
        "pings_missing": sum(
            (s.sent + PING_EVERY - 1) // PING_EVERY - len(s.pongs) for s in streams
        ),
        "sent": sum(stream.sent for stream in streams),
        "closed": [stream.closed for stream in streams if stream.closed],
        "finals": [lag for stream in streams for lag in stream.finals],
        "warnings": [stream.warnings for stream in streams if stream.warnings],
        "client_behind": behind,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
