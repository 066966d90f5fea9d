"""Translates what one party says for the other, utterance by utterance, in order.

The translation that is stored is always that of the whole utterance, because it is better than its
clauses translated one by one. Of an utterance that was spoken in clauses, only the rest is spoken
at its end.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sessions_app.engines.base import EngineError, TranslationRequest, Translator
from sessions_app.live_events import (
    FinalTranscript,
    PartialTranscript,
    SpokenEvent,
    StreamWarning,
    TranslationFailed,
    TranslationFinal,
    WordsToPassOn,
    WordsToSpeak,
)
from sessions_app.media import Speaker, encode
from sessions_app.streaming.hearing.echo import SpokenAudio
from sessions_app.streaming.speaking.clauses import Clause
from sessions_app.streaming.speaking.conversation import Conversation, base, other_party
from sessions_app.streaming.speaking.long_speech import Begun, EarlyClause, LongSpeech
from sessions_app.streaming.speaking.metrics import SPEECH_END_TO_TRANSLATION
from sessions_app.streaming.speaking.subtitles import Subtitles

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
    """A final. ``rest`` is what remains to be spoken of it, if some of it is spoken already;
    ``whole`` is None if its words need no translation."""

    final: FinalTranscript
    target: str
    whole: "asyncio.Task[str | None] | None"
    begun: Begun | None = None
    rest: "asyncio.Task[str | None] | None" = None

    @property
    def answers(self) -> "list[asyncio.Task[str | None]]":
        return [each for each in (self.rest, self.whole) if each is not None]


class Interpreter:
    """For one party. Belongs to the event loop.

    Args:
        speaks: whether the translation is spoken to the other party.
        subtitles: whether its words are translated while it speaks, to be read.
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
        subtitles: bool,
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
        self._pending: deque[_Pending | WordsToSpeak] = deque()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._worker: asyncio.Task[None] | None = None
        self._failing = False
        self._long_speech = LongSpeech(translate=self._translate_clause, speak=self._clause_made)
        self._subtitles: Subtitles | None = None
        if subtitles:
            self._subtitles = Subtitles(
                speaker,
                translate=self._translate_partial,
                tell=tell,
                hurried=lambda: bool(self._pending),
            )

    @property
    def wants_partials(self) -> bool:
        """Whether the words of an utterance would be used before it ends."""
        if self._subtitles is None and not self._speaks:
            return False
        source = self._conversation.language_of(self._speaker)
        return source is not None and self._early_target(source) is not None

    @property
    def wants_english(self) -> bool:
        """Whether the transcriber's own English of the next utterance would be used."""
        target = self._conversation.language_of(other_party(self._speaker))
        source = self._conversation.language_of(self._speaker) or UNKNOWN_LANGUAGE
        return target not in (None, source) and self._translator.wants_english(source, target)

    def hear_partial(self, partial: PartialTranscript) -> None:
        """What the party has said so far of its present utterance. Never waits."""
        if not partial.text:
            self._withdraw(partial)
            return
        source = base(partial.language or "")
        target = self._early_target(source)
        if target is None:
            return
        if self._speaks:
            self._long_speech.hear(partial, source, target)
        if self._subtitles is not None:
            self._subtitles.hear(partial, target)

    def hear(self, final: FinalTranscript, spoken: SpokenAudio | None) -> None:
        """The next utterance of the party; ``spoken`` is its recent audio. Never waits."""
        was_heard = self._conversation.is_understood(self._speaker)
        self._conversation.observe(final)
        begun = self._long_speech.finish(final.id, final.text, final.end_time)
        if self._subtitles is not None:
            self._subtitles.finish()
        target = self._conversation.language_of(other_party(self._speaker))
        if target is None:
            return
        understood = base(final.language) == target
        if understood and begun is None:
            if self._passes_on and not was_heard:
                self._pass_on(final, spoken)
            return
        rest = whole = None
        if begun is not None:
            rest = asyncio.create_task(self._translate_rest(final, target, begun))
        if not understood:
            whole = asyncio.create_task(self._translate(final, target))
        self._queue(_Pending(final, target, whole, begun, rest))

    def _queue(self, item: _Pending | WordsToSpeak) -> None:
        self._pending.append(item)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def finish(self) -> None:
        """Wait until everything heard so far is translated."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait({self._worker})

    def close(self) -> None:
        self._long_speech.close()
        if self._subtitles is not None:
            self._subtitles.finish()
        if self._worker is not None:
            self._worker.cancel()
        for item in self._pending:
            if isinstance(item, _Pending):
                for answer in item.answers:
                    answer.cancel()

    # --- before an utterance ends -----------------------------------------------------------

    def _early_target(self, source: str) -> str | None:
        """The language into which words in ``source`` are translated before their utterance ends;
        None: they are not.

        The language must be that which the party is known to speak: the first words of an
        utterance may be taken for another one.
        """
        target = self._conversation.language_of(other_party(self._speaker))
        known = source == self._conversation.language_of(self._speaker)
        if target is None or target == source or not known:
            return None
        return target if self._translator.translates_text(source, target) else None

    def _withdraw(self, partial: PartialTranscript) -> None:
        if self._subtitles is not None:
            self._subtitles.withdraw(partial.id)
        begun = self._long_speech.withdraw(partial.id)
        if begun is not None:
            # What was spoken cannot be taken back, but it has an end.
            number, language = begun
            self._queue(self._words(partial.id, language, "", number, True, partial.start_time))

    def _clause_made(self, clause: EarlyClause) -> None:
        self._queue(
            self._words(
                clause.segment_id, clause.language, clause.text, clause.number, False,
                clause.end_time,
            )
        )  # fmt: skip

    async def _translate_partial(self, partial: PartialTranscript, target: str) -> str | None:
        return await self._ask(self._early_request(partial, partial.text, target))

    async def _translate_clause(
        self, partial: PartialTranscript, clause: Clause, target: str
    ) -> str | None:
        return await self._ask(self._early_request(partial, clause.text, target, clause.before))

    def _early_request(
        self, partial: PartialTranscript, text: str, target: str, before: str = ""
    ) -> TranslationRequest:
        return TranslationRequest(
            text=text,
            source=partial.language or "",
            target=target,
            glossary=self._glossary,
            context=self._context(partial.id, before),
        )

    def _context(self, segment_id: str, before: str) -> tuple[str, ...]:
        earlier = self._conversation.words_before(segment_id)
        return (*earlier, before) if before else earlier

    # --- finals -----------------------------------------------------------------------------

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
        request = TranslationRequest(
            text=final.text,
            source=final.language,
            target=target,
            glossary=self._glossary,
            context=self._conversation.words_before(final.id),
            english=final.english,
        )
        async with self._slots:
            return await self._ask(request)

    async def _translate_rest(
        self, final: FinalTranscript, target: str, begun: Begun
    ) -> str | None:
        """``final.english`` is that of the whole utterance: the rest is translated as text."""
        request = TranslationRequest(
            text=begun.rest,
            source=final.language,
            target=target,
            glossary=self._glossary,
            context=self._context(final.id, begun.said),
        )
        async with self._slots:
            return await self._ask(request)

    async def _ask(self, request: TranslationRequest) -> str | None:
        """The translation; None when the engine failed. Raises nothing."""
        try:
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
            item = self._pending[0]
            if isinstance(item, WordsToSpeak):
                self._tell(item)
            else:
                await self._conclude(item)
            self._pending.popleft()

    async def _conclude(self, pending: _Pending) -> None:
        final, target, begun = pending.final, pending.target, pending.begun
        if begun is not None and pending.rest is not None:
            await asyncio.wait({pending.rest})
            rest = None if pending.rest.cancelled() else pending.rest.result()
            self._speak(final, target, rest or "", begun.clauses)
        if pending.whole is None:
            return
        await asyncio.wait({pending.whole})
        if pending.whole.cancelled():
            return
        text = pending.whole.result()
        if text is None:
            self._failed(final)
            return
        self._failing = False
        if (now := self._now()) is not None:
            SPEECH_END_TO_TRANSLATION.observe(max(0.0, now - final.end_time))
        if begun is None and self._speaks:
            self._speak(final, target, text, 0)
        self._store(TranslationFinal(final.id, self._speaker, target, text))

    def _speak(self, final: FinalTranscript, target: str, text: str, number: int) -> None:
        self._tell(self._words(final.id, target, text, number, True, final.end_time))

    def _words(
        self, segment_id: str, target: str, text: str, number: int, last: bool, end_time: float
    ) -> WordsToSpeak:
        voice = self._conversation.voice_language(other_party(self._speaker))
        language = voice if voice and base(voice) == target else target
        return WordsToSpeak(segment_id, self._speaker, language, text, number, last, end_time)

    def _failed(self, final: FinalTranscript) -> None:
        self._tell(TranslationFailed(final.id, self._speaker, "translation_unavailable"))
        if not self._failing:
            self._failing = True
            message = "Words cannot be translated now. They are in the transcript, untranslated."
            self._tell(StreamWarning("translation_unavailable", message, self._speaker))
