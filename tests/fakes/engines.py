"""Scripted engines for tests, without audio, models or clocks."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import numpy as np

from sessions_app.engines.base import (
    Priority,
    SpeechAudio,
    Synthesizer,
    Transcriber,
    Transcription,
    TranscriptionRequest,
    TranslationRequest,
    Translator,
    Voice,
)

Answer = Transcription | str | Exception


def heard(text: str, language: str = "en", probability: float = 0.98) -> Transcription:
    """A transcription by an engine that is sure of it."""
    return Transcription(text, language, probability, 0.9, language, probability)


class FakeTranscriber(Transcriber):
    """Gives the scripted answers in order, and then ``default``.

    An answer may be a text, a ``Transcription`` or an error to raise. ``hold()`` makes requests
    wait until ``release()``; ``delay`` seconds are awaited with ``sleep``, which may be a virtual
    clock's.
    ``requests`` and ``cancelled`` hold the requests made and the requests cancelled.
    """

    attempts = 1
    backoff = 0.0

    def __init__(
        self,
        *answers: Answer,
        default: Answer = "",
        delay: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = "fake"
        self.languages = frozenset({"en", "es", "de", "fr"})
        self.answers = deque(answers)
        self.answer: Callable[[TranscriptionRequest], Answer] = lambda request: default
        self.delay = delay
        self._sleep = sleep
        self.requests: list[TranscriptionRequest] = []
        self.promoted: list[TranscriptionRequest] = []
        self.cancelled: list[TranscriptionRequest] = []
        self.started = False
        self.closed = False
        self.scripted_idle: bool | None = None
        self.most_at_once = 0
        self._in_work: list[TranscriptionRequest] = []
        self._gate = asyncio.Event()
        self._gate.set()

    def say(self, *answers: Answer) -> None:
        """Add answers to the script."""
        self.answers.extend(answers)

    def hold(self) -> None:
        """Make requests wait."""
        self._gate.clear()

    def release(self) -> None:
        """Answer waiting and later requests."""
        self._gate.set()

    def asked(self, priority: Priority) -> list[TranscriptionRequest]:
        """The requests of one priority, in order."""
        return [request for request in self.requests if request.priority is priority]

    async def start(self) -> None:
        self.started = True

    async def close(self) -> None:
        self.closed = True

    @property
    def backlog_seconds(self) -> float:
        return sum(request.duration for request in self._in_work)

    @property
    def idle(self) -> bool:
        return not self._in_work if self.scripted_idle is None else self.scripted_idle

    def promote(self, request: TranscriptionRequest) -> bool:
        self.promoted.append(request)
        return request in self._in_work

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        self.requests.append(request)
        self._in_work.append(request)
        self.most_at_once = max(self.most_at_once, len(self._in_work))
        answer = self.answers.popleft() if self.answers else self.answer(request)
        try:
            if self.delay:
                await self._sleep(self.delay)
            await self._gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise
        finally:
            self._in_work.remove(request)
        if isinstance(answer, Exception):
            raise answer
        return heard(answer, request.language or "en") if isinstance(answer, str) else answer


class FakeTranslator(Translator):
    """Raises the scripted errors, then marks texts with the target language.

    ``requests`` and ``texts`` hold what was asked. ``hold()`` makes requests wait until
    ``release()``. ``english`` are the pairs for which it wants the transcriber's English.
    """

    attempts = 1

    def __init__(
        self,
        *errors: Exception,
        known: set[tuple[str, str]] | None = None,
        english: set[tuple[str, str]] | None = None,
        name: str = "fake",
    ) -> None:
        self.name = name
        self.errors = deque(errors)
        self.known = frozenset(known or {("en", "es"), ("es", "en")})
        self.english = frozenset(english or ())
        self.requests: list[TranslationRequest] = []
        self.closed = False
        self._gate = asyncio.Event()
        self._gate.set()

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.requests]

    def hold(self) -> None:
        """Make requests wait."""
        self._gate.clear()

    def release(self) -> None:
        """Answer waiting and later requests."""
        self._gate.set()

    async def close(self) -> None:
        self.closed = True

    def pairs(self) -> frozenset[tuple[str, str]]:
        return self.known

    def wants_english(self, source: str, target: str) -> bool:
        return (source, target) in self.english

    async def _translate(self, request: TranslationRequest) -> str:
        self.requests.append(request)
        await self._gate.wait()
        if self.errors:
            raise self.errors.popleft()
        return f"[{request.target}] {request.text}"


class FakeSynthesizer(Synthesizer):
    """Raises the scripted errors, then yields 50 ms of a constant sample for each word.

    ``voices`` maps names to languages; ``named`` has the voice of each request.
    """

    attempts = 1

    def __init__(
        self,
        *errors: Exception,
        languages: frozenset[str] = frozenset({"en", "es"}),
        voices: Mapping[str, str] | None = None,
    ) -> None:
        self.name = "fake"
        self.errors = deque(errors)
        self.languages = languages
        self.voices = tuple(Voice(*each, self.name) for each in (voices or {}).items())
        self.texts: list[str] = []
        self.named: list[str | None] = []

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        self.texts.append(text)
        self.named.append(voice)
        if self.errors:
            raise self.errors.popleft()
        for _ in text.split():
            yield SpeechAudio(np.full(400, 1000, np.int16), 8000)
