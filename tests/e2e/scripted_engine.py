"""A transcription server over HTTP with scripted answers."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedEngine(ThreadingHTTPServer):
    """Answers "Sentence 1.", "Sentence 2." …, each followed by ``trailer``.

    While ``answers`` is cleared it answers nothing.
    """

    def __init__(self, trailer: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.heard = 0
        self.trailer = trailer
        self.answers = threading.Event()
        self.answers.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"openai+http://127.0.0.1:{self.server_port}/v1"


class _Answer(BaseHTTPRequestHandler):
    server: ScriptedEngine

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.wait()
        self.server.heard += 1
        text = f"Sentence {self.server.heard}.{self.server.trailer}"
        body = json.dumps({"text": text, "language": "en"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the request was cancelled
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass
