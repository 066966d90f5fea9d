"""The Hugging Face hub on real sockets: its URLs, checksums and redirects, with faults on demand.

Large files are redirected to a second server, as the hub does with its storage.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LARGE = 2000  # bytes from which a file is in the storage
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)")


@dataclass
class Asked:
    """A request for a file. ``storage``: it reached the second server."""

    path: str
    headers: dict[str, str]
    storage: bool


@dataclass
class FakeHub:
    """The repositories by name, each with its files by path, and what is wrong with them."""

    endpoint: str = ""
    storage: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    listed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Repositories whose list is not that of their files."""
    licence: str = "apache-2.0"
    token: str = ""
    """Asked for, if any."""
    break_off: list[int] = field(default_factory=list)
    """Each next answer with weights ends after so many bytes."""
    stall_at: int | None = None
    """Of weights so many bytes are sent, and then nothing until ``go_on``."""
    go_on: threading.Event = field(default_factory=threading.Event)
    served: dict[str, bytes] = field(default_factory=dict)
    """Files that are sent instead of those that are listed."""
    ranges: bool = True
    checksums: bool = True
    """Whether the list has them; the redirect always does."""
    status: int = 0
    """Answered to everything, if not 0."""
    asked: list[Asked] = field(default_factory=list)

    def add_folder(self, repository: str, folder: Path) -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.repositories[repository] = {**files, "README.md": b"# A model", ".gitattributes": b""}

    def ranges_asked(self) -> list[str]:
        return [each.headers["range"] for each in self.asked if "range" in each.headers]

    def description(self, name: str) -> dict[str, Any]:
        files = self.repositories.get(name, {})
        rows = self.listed.get(name) or [self._row(path, files[path]) for path in files]
        return {"id": name, "sha": COMMIT, "cardData": {"license": self.licence}, "siblings": rows}

    def _row(self, path: str, content: bytes) -> dict[str, Any]:
        row: dict[str, Any] = {"rfilename": path, "size": len(content)}
        if not self.checksums:
            return row
        if len(content) < _LARGE:
            return {
                **row,
                "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }
        sha256 = hashlib.sha256(content).hexdigest()
        return {**row, "blobId": "0" * 40, "lfs": {"sha256": sha256, "size": len(content)}}


def _handler(hub: FakeHub, *, storage: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            with suppress(ConnectionError):
                self._answer(urlsplit(self.path))

        def _answer(self, url: Any) -> None:
            if hub.status:
                return self._send(hub.status)
            allowed = self.headers.get("Authorization") == f"Bearer {hub.token}"
            if hub.token and not storage and not allowed:
                return self._send(401)
            if url.path.startswith("/api/models/"):
                name = url.path.removeprefix("/api/models/").removesuffix("/revision/main")
                if name not in hub.repositories or "blobs=true" not in url.query:
                    return self._send(401)
                return self._send(200, json.dumps(hub.description(name)).encode())
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.asked.append(Asked(unquote(url.path), headers, storage))
            found = _RESOLVE.fullmatch(unquote(url.path))
            content = hub.repositories.get(found[1], {}).get(found[3]) if found else None
            if found is None or content is None or found[2] != COMMIT:
                return self._send(404)
            if len(content) < _LARGE or storage:
                return self._file(hub.served.get(found[3], content))
            return self._send(
                302,
                headers={
                    "Location": f"{hub.storage}{url.path}",
                    "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                    "X-Linked-Size": str(len(content)),
                },
            )

        def _file(self, content: bytes) -> None:
            start = 0
            if hub.ranges and (asked := self.headers.get("Range")):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self._send(416)
                    return
            self.send_response(206 if start else 200)
            if start:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content)
            weights = self.path.endswith((".bin", ".onnx"))
            if storage and weights and hub.break_off:
                end = start + hub.break_off.pop(0)
            if storage and weights and hub.stall_at is not None:
                self.wfile.write(content[start : hub.stall_at])
                hub.go_on.wait(60)
                start = hub.stall_at
            self.wfile.write(content[start:end])
            self.close_connection = end < len(content)

        def _send(
            self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """A hub that listens within the block."""
    hub = FakeHub()
    servers = []
    for storage in (False, True):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, storage=storage))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    hub.endpoint, hub.storage = (f"http://127.0.0.1:{each.server_port}" for each in servers)
    try:
        yield hub
    finally:
        hub.go_on.set()
        for server in servers:
            server.shutdown()
            server.server_close()
