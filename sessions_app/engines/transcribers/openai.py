"""``openai+https://:key@host/v1?model=name``: any server with ``POST /audio/transcriptions``.

OpenAI, or a self-hosted server (speaches, vLLM, LocalAI, whisper.cpp). Options: ``model``,
``timeout`` in seconds for one attempt, ``key_file`` (a file that holds the key, which then is not
in the URL).

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import io
import json
import math
import wave
from dataclasses import replace
from typing import Any

import numpy as np

from sessions_app.engines.base import (
    EngineUnavailable,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.engines.remote import RemoteEndpoint
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.whisper import hallucinations
from sessions_app.engines.whisper.hallucination_phrases import is_known_hallucination
from sessions_app.engines.whisper.languages import LANGUAGES

_UNSURE = 0.6  # confidence of an answer that came without probabilities


def from_url(url: EngineURL, context: EngineContext) -> "OpenAITranscriber":
    """The transcriber at that address."""
    options = url.read_options(model=str, timeout=float)
    return OpenAITranscriber(url, **options)


class OpenAITranscriber(Transcriber):
    """A remote transcriber. Requests run in parallel; the server has its own queue."""

    languages = LANGUAGES

    def __init__(self, url: EngineURL, model: str = "whisper-1", timeout: float = 20.0) -> None:
        self.name = f"openai-{model.rsplit('/', 1)[-1]}"
        self._model = model
        self._remote = RemoteEndpoint(url, timeout)
        self._in_flight: list[TranscriptionRequest] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._remote.address} {self._model}>"

    @property
    def backlog_seconds(self) -> float:
        return sum(request.duration for request in self._in_flight)

    @property
    def idle(self) -> bool:
        return not self._in_flight

    async def probe(self) -> None:
        await self._remote.probe()

    async def close(self) -> None:
        await self._remote.close()

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        self._in_flight.append(request)
        try:
            result = await self._ask(request)
            if request.language or not request.languages or result.language in request.languages:
                return result
            # The server cannot be told what to choose among, and has chosen another language.
            first = await self._ask(replace(request, language=request.languages[0]))
            return replace(first, language_probability=0.0)
        finally:
            self._in_flight.remove(request)

    async def _ask(self, request: TranscriptionRequest) -> Transcription:
        body = await self._remote.post(
            "/audio/transcriptions",
            files={"file": ("utterance.wav", _wav(request), "audio/wav")},
            data=self._fields(request),
        )
        return _transcription(body, request)

    def _fields(self, request: TranscriptionRequest) -> dict[str, str]:
        fields = {"model": self._model, "response_format": "verbose_json", "temperature": "0"}
        if request.language:
            fields["language"] = request.language.split("-")[0].lower()
        prompt = " ".join(filter(None, (", ".join(request.vocabulary), request.context)))
        if prompt:
            fields["prompt"] = prompt[-800:]
        return fields


def _wav(request: TranscriptionRequest) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(request.sample_rate)
        file.writeframes(request.audio.astype("<i2").tobytes())
    return buffer.getvalue()


def _transcription(body: bytes, request: TranscriptionRequest) -> Transcription:
    try:
        answer: dict[str, Any] = json.loads(body)
        text = hallucinations.clean_text(str(answer["text"]))
        segments: list[dict[str, Any]] = answer.get("segments") or []
        probabilities = [float(s["avg_logprob"]) for s in segments if "avg_logprob" in s]
        silence = [float(s["no_speech_prob"]) for s in segments if "no_speech_prob" in s]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineUnavailable("the server's answer is not a transcription") from error
    mean = float(np.mean(probabilities)) if probabilities else math.log(_UNSURE)
    no_speech = max(silence, default=0.0)
    if (no_speech > hallucinations.NO_SPEECH and mean < hallucinations.MIN_LOG_PROBABILITY) or (
        (no_speech > 0.5 or mean < -0.7) and is_known_hallucination(text)
    ):
        text = ""
    heard = _code(answer.get("language"))
    language = request.language or heard or "en"
    return Transcription(
        text=hallucinations.remove_loops(text),
        language=language.split("-")[0].lower(),
        language_probability=1.0 if request.language else 0.8 if heard else 0.0,
        confidence=round(math.exp(min(mean, 0.0)), 3) if text else 0.0,
        # A server that was given a language repeats it: that is not a detection.
        detected_language=None if request.language else heard,
        detected_probability=0.8 if heard and not request.language else 0.0,
    )


def _code(language: object) -> str | None:
    """The ISO 639-1 code of "es", "Spanish" or "spanish"; ``verbose_json`` gives the name."""
    text = str(language or "").strip().lower()
    if text in LANGUAGES:
        return text
    return _CODES_BY_NAME.get(text)


# Whisper's names (openai/whisper, tokenizer.py) of the more common languages.
_CODES_BY_NAME = {
    "english": "en", "chinese": "zh", "german": "de", "spanish": "es", "russian": "ru",
    "korean": "ko", "french": "fr", "japanese": "ja", "portuguese": "pt", "turkish": "tr",
    "polish": "pl", "catalan": "ca", "dutch": "nl", "arabic": "ar", "swedish": "sv",
    "italian": "it", "indonesian": "id", "hindi": "hi", "finnish": "fi", "vietnamese": "vi",
    "hebrew": "he", "ukrainian": "uk", "greek": "el", "malay": "ms", "czech": "cs",
    "romanian": "ro", "danish": "da", "hungarian": "hu", "tamil": "ta", "norwegian": "no",
    "thai": "th", "urdu": "ur", "croatian": "hr", "bulgarian": "bg", "lithuanian": "lt",
    "welsh": "cy", "slovak": "sk", "telugu": "te", "persian": "fa", "latvian": "lv",
    "bengali": "bn", "serbian": "sr", "slovenian": "sl", "kannada": "kn", "estonian": "et",
    "basque": "eu", "icelandic": "is", "armenian": "hy", "albanian": "sq", "swahili": "sw",
    "galician": "gl", "marathi": "mr", "punjabi": "pa", "tagalog": "tl", "afrikaans": "af",
}  # fmt: skip
