"""``openai+https://:key@host/v1?model=name``: any server with ``POST /audio/speech``.

Options: ``model``, ``voice`` (used when the caller names none), ``timeout`` in seconds,
``key_file``, ``languages`` (codes joined by ``+``; default: those of the OpenAI voices).

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from collections.abc import AsyncGenerator

import numpy as np

from sessions_app.engines.base import SpeechAudio, Synthesizer
from sessions_app.engines.remote import RemoteEndpoint
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.whisper.languages import LANGUAGES

_RATE = 24_000  # Hz of the "pcm" format: 16 bit, mono, little endian, no header
_CHUNK = 9_600  # bytes: 200 ms
_LONGEST = 120 * _RATE * 2  # bytes of one sentence; more cannot be speech


def from_url(url: EngineURL, context: EngineContext) -> "OpenAISynthesizer":
    """The synthesizer at that address."""
    options = url.read_options(model=str, voice=str, timeout=float, languages=str)
    return OpenAISynthesizer(url, **options)


class OpenAISynthesizer(Synthesizer):
    """A remote synthesizer; audio is yielded as it arrives."""

    lists_voices = False  # the API has no request for that

    def __init__(
        self,
        url: EngineURL,
        model: str = "tts-1",
        voice: str = "alloy",
        timeout: float = 20.0,
        languages: str = "",
    ) -> None:
        self.name = f"openai-{model.rsplit('/', 1)[-1]}"
        # OpenAI's voices speak the languages that Whisper transcribes.
        self.languages = frozenset(languages.split()) or LANGUAGES
        self._model = model
        self._voice = voice
        self._remote = RemoteEndpoint(url, timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._remote.address} {self._model}>"

    async def close(self) -> None:
        await self._remote.close()

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        for sentence in sentences(text):
            request = {
                "model": self._model,
                "voice": voice or self._voice,
                "input": sentence,
                "response_format": "pcm",
            }
            waiting, total = bytearray(), 0
            async with self._remote.stream("/audio/speech", json=request) as chunks:
                async for chunk in chunks:
                    waiting += chunk
                    total += len(chunk)
                    if len(waiting) >= _CHUNK:
                        yield _audio(waiting)
                        del waiting[: len(waiting) // 2 * 2]
                    if total > _LONGEST:
                        break
            if len(waiting) >= 2:
                yield _audio(waiting)


def _audio(data: bytearray) -> SpeechAudio:
    whole = bytes(data[: len(data) // 2 * 2])
    return SpeechAudio(np.frombuffer(whole, "<i2").astype(np.int16), _RATE)
