"""Translates what one party says for the other, utterance by utterance, in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sessions_app.engines.base import EngineError, TranslationRequest, Translator
from sessions_app.live_events import (
    FinalTranscript,
    SpokenEvent,
    StreamWarning,
    TranslationFailed,
    TranslationFinal,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.media import Speaker, encode
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.speaking.conversation import Conversation, base, other_party
from sessions_app.streaming.speaking.metrics import SPEECH_END_TO_TRANSLATION

log = logging.getLogger(__name__)

TIMEOUT: Final = 8.0
"""Seconds for one translation, with all its retries and fallbacks."""

AT_ONCE: Final = 3
"""Translations of one party asked for at the same time. More of them wait."""

UNKNOWN_LANGUAGE: Final = "es"
"""What a party is taken to speak before it is heard, to find out whether its English helps. English
itself costs nothing: the recognizer translates none."""

PASSED_ON_RATE: Final = 8000
"""Hz of utterances that are passed on from one server to another."""


@dataclass(frozen=True, slots=True)
class _Pending:
    final: FinalTranscript
    target: str
    answer: "asyncio.Task[str | None]"


class Interpreter:
    """For one party. Belongs to the event loop.

    Args:
        speaks: whether the translation is spoken to the other party.
        passes_on: whether words that the other party understands are played to it afterwards, if
            it has not heard them as they were said.
        tell: sends an event to the session's followers on every server.
        store: keeps a translation; ``tell`` is not called for it.
        now: the time on the session's timeline; None: it has not begun.
    """

    def __init__(
        self,
        speaker: Speaker,
        *,
        conversation: Conversation,
        translator: Translator,
        glossary: Mapping[str, str],
        speaks: bool,
        passes_on: bool,
        tell: Callable[[SpokenEvent], None],
        store: Callable[[TranslationFinal], None],
        now: Callable[[], float | None],
    ) -> None:
        self._speaker: Speaker = speaker
        self._conversation = conversation
        self._translator = translator
        self._glossary = glossary
        self._speaks = speaks
        self._passes_on = passes_on
        self._tell = tell
        self._store = store
        self._now = now
        self._pending: deque[_Pending] = deque()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._worker: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def wants_english(self) -> bool:
        """Whether the transcriber's own English of the next utterance would be used."""
        target = self._conversation.language_of(other_party(self._speaker))
        source = self._conversation.language_of(self._speaker) or UNKNOWN_LANGUAGE
        return target not in (None, source) and self._translator.wants_english(source, target)

    def hear(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        """The next utterance of the party; ``spoken`` is its recent audio. Never waits."""
        was_heard = self._conversation.is_understood(self._speaker)
        self._conversation.observe(final)
        target = self._conversation.language_of(other_party(self._speaker))
        if target is None:
            return
        if base(final.language) == target:
            if self._passes_on and not was_heard:
                self._pass_on(final, spoken)
            return
        answer = asyncio.create_task(self._translate(final, target))
        self._pending.append(_Pending(final, target, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def finish(self) -> None:
        """Wait until everything heard so far is translated."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait({self._worker})

    def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        for pending in self._pending:
            pending.answer.cancel()

    def _pass_on(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        if spoken is None:
            return
        samples = spoken.between(final.start_time, final.end_time + 0.1, PASSED_ON_RATE)
        if len(samples):
            payload = encode(samples, "mulaw")
            self._tell(
                WordsToPassOn(final.id, self._speaker, PASSED_ON_RATE, payload, final.end_time)
            )

    async def _translate(self, final: FinalTranscript, target: str) -> str | None:
        """The translation; None when the engine failed. Raises nothing."""
        request = TranslationRequest(
            text=final.text,
            source=final.language,
            target=target,
            glossary=self._glossary,
            context=self._conversation.words_before(final),
            english=final.english,
        )
        try:
            async with self._slots:
                text = await self._translator.translate(request, timeout=TIMEOUT)
        except EngineError as error:
            log.warning("translation failed: %s", type(error).__name__)
        except Exception as error:  # an engine's bug; its text may hold words of the call
            log.error("translator is broken: %s", type(error).__name__)
        else:
            return text.strip() or None
        return None

    async def _work(self) -> None:
        while self._pending:
            pending = self._pending[0]
            await asyncio.wait({pending.answer})
            self._pending.popleft()
            if pending.answer.cancelled():
                continue
            text = pending.answer.result()
            if text is None:
                self._failed(pending.final)
            else:
                self._translated(pending.final, pending.target, text)

    def _translated(self, final: FinalTranscript, target: str, text: str) -> None:
        self._failing = False
        if (now := self._now()) is not None:
            SPEECH_END_TO_TRANSLATION.observe(max(0.0, now - final.end_time))
        if self._speaks:
            voice = self._conversation.voice_language(other_party(self._speaker))
            language = voice if voice and base(voice) == target else target
            self._tell(
                WordsToSpeak(final.id, self._speaker, language, text, 0, True, final.end_time)
            )
        self._store(TranslationFinal(final.id, self._speaker, target, text))

    def _failed(self, final: FinalTranscript) -> None:
        self._tell(TranslationFailed(final.id, self._speaker, "translation_unavailable"))
        if not self._failing:
            self._failing = True
            message = "Words cannot be translated now. They are in the transcript, untranslated."
            self._tell(StreamWarning("translation_unavailable", message, self._speaker))
