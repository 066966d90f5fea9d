"""A transcriber that answers what a test tells it to, when the test's clock says so."""

from collections.abc import Callable

from sessions_app.engines.base import (
    EngineError,
    Priority,
    Transcriber,
    Transcription,
    TranscriptionRequest,
)
from sessions_app.streaming.clock import Clock

Answer = str | Transcription | EngineError | Exception


class ScriptedTranscriber(Transcriber):
    """``answer`` is called with each request; ``latency`` is seconds on the clock."""

    name = "scripted"
    languages = frozenset({"en", "es"})
    attempts = 1

    def __init__(
        self,
        clock: Clock,
        answer: Callable[[TranscriptionRequest], Answer] | Answer = "Hello there.",
        latency: float = 0.2,
    ) -> None:
        self._clock = clock
        self.answer = answer
        self.latency = latency
        self.requests: list[TranscriptionRequest] = []
        self.running = 0
        self.most_running = 0
        self.busy_elsewhere = False

    @property
    def idle(self) -> bool:
        return not self.running and not self.busy_elsewhere

    def asked(self, priority: Priority) -> list[TranscriptionRequest]:
        return [each for each in self.requests if each.priority is priority]

    async def _transcribe(self, request: TranscriptionRequest) -> Transcription:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self._clock.sleep(self.latency)
        finally:
            self.running -= 1
        answer = self.answer(request) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Transcription(answer, "en", 0.9, 0.8, "en", 0.9)
        return answer
