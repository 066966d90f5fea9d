"""A recognizer, a translator and a voice over HTTP whose every answer a test knows.

The recognizer answers with ``words``, whatever it hears. The translator puts the language before
the text. The voice says a text as a tone that only that text has.
"""

import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import numpy as np

from sessions_app.media import Samples

VOICE_RATE: Final = 24_000  # of OpenAI's voices
SPOKEN_SECONDS: Final = 0.6
LANGUAGES: Final = {"English": "en", "Spanish": "es"}


def translated(text: str, language: str) -> str:
    return f"({language}) {text}"


def tone_of(text: str) -> float:
    """Hz. In steps of 40, so that two texts of one call seldom have the same."""
    return 400.0 + 40.0 * (zlib.crc32(text.encode()) % 60)


def tone_in(samples: Samples, rate: int) -> float:
    """Hz of the loudest tone, to the nearest that ``tone_of`` gives."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest = float(np.argmax(spectrum)) * rate / len(samples)
    return 400.0 + 40.0 * round((loudest - 400.0) / 40.0)


class ScriptedTranslation:
    """Answers until ``kill``, and again after ``revive``, at the same address."""

    def __init__(self) -> None:
        self.words = ("", "en")  # with their language
        self._server: _Server | None = _Server(("127.0.0.1", 0), self)
        self.port = self._server.server_port

    @property
    def url(self) -> str:
        return f"openai+http://127.0.0.1:{self.port}/v1"

    def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def revive(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), self)


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], script: ScriptedTranslation) -> None:
        super().__init__(address, _Answer)
        self.script = script
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/audio/transcriptions"):
            text, language = self.server.script.words
            self._send(json.dumps({"text": text, "language": language}).encode())
        elif self.path.endswith("/chat/completions"):
            system, turn = (each["content"] for each in json.loads(body)["messages"])
            into = system.partition('Translate "text" into ')[2]
            language = next(code for name, code in LANGUAGES.items() if into.startswith(name))
            answer = {"translation": translated(json.loads(turn)["text"], language)}
            choice = {"message": {"content": json.dumps(answer)}, "finish_reason": "stop"}
            self._send(json.dumps({"choices": [choice]}).encode())
        else:
            times = np.arange(round(SPOKEN_SECONDS * VOICE_RATE)) / VOICE_RATE
            tone = 9000 * np.sin(2 * np.pi * tone_of(json.loads(body)["input"]) * times)
            self._send(np.asarray(tone, "<i2").tobytes())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass
