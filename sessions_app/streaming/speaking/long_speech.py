"""Speaks the clauses of a long utterance while its speaker goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from sessions_app.live_events import PartialTranscript
from sessions_app.streaming.speaking.clauses import Clause, ClauseFinder
from sessions_app.streaming.speaking.metrics import CLAUSES_SPOKEN_EARLY

LONG: Final = 6.0
"""Seconds of unbroken talk from which on clauses are spoken before their utterance ends."""

UNBROKEN: Final = 0.5
"""A pause of fewer seconds between two utterances does not end the talk: the recognizer takes only
so much at a time, and a long utterance is cut wherever it can be."""

FINAL_WITHIN: Final = 30.0
"""Seconds after an utterance in which its final comes, if it comes here."""

Translate = Callable[[PartialTranscript, Clause, str], Awaitable[str | None]]
"""Translates a clause of a partial into a language; None: the engine failed."""


@dataclass(frozen=True, slots=True)
class EarlyClause:
    """The translation of a clause. ``end_time`` is about where its original ended, in seconds on
    the session's timeline."""

    segment_id: str
    language: str
    text: str
    number: int
    end_time: float


@dataclass(frozen=True, slots=True)
class Begun:
    """An utterance of which something is spoken already: ``clauses`` of them, made of the words
    ``said``."""

    clauses: int
    said: str
    rest: str


@dataclass(slots=True, eq=False)
class _Segment:
    """An utterance whose final has not come. ``end_time``: of its latest partial; ``overdue``: a
    later one has ended before it."""

    end_time: float
    language: str
    finder: ClauseFinder = field(default_factory=ClauseFinder)
    clauses: int = 0
    overdue: bool = False
    asking: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
            self.asking = None


class LongSpeech:
    """Of one party. Translates one clause at a time, and only what it has translated is spoken.

    The next utterance may begin before the final of the one before has come. Its clauses wait for
    that final, so that everything is spoken in order. Finals come in order too: one that a later
    utterance has overtaken hardly comes any more, and nothing waits for it.
    """

    def __init__(self, *, translate: Translate, speak: Callable[[EarlyClause], None]) -> None:
        self._translate = translate
        self._speak = speak
        self._open: dict[str, _Segment] = {}  # in the order in which they began
        self._talk_began = 0.0
        self._talk_end = -UNBROKEN

    def hear(self, partial: PartialTranscript, source: str, target: str) -> None:
        """The next partial, in the language ``source``."""
        segment = self._open.get(partial.id)
        if segment is None:
            segment = self._begin(partial, target)
        segment.language, segment.end_time = target, partial.end_time
        self._talk_end = max(self._talk_end, partial.end_time)
        segment.finder.observe(partial.text)
        if segment.asking is not None or partial.end_time - self._talk_began <= LONG:
            return
        if segment is not next((each for each in self._open.values() if not each.overdue), segment):
            return
        clause = segment.finder.offer(source)
        if clause is not None:
            segment.asking = asyncio.create_task(self._ask(segment, partial, clause, target))

    def finish(self, segment_id: str, text: str, end_time: float) -> Begun | None:
        """The utterance is over, and ``text`` is what was said. None: nothing of it is spoken.

        A clause whose translation is not there yet belongs to the rest.
        """
        self._talk_end = max(self._talk_end, end_time)
        segment = self._forget(segment_id)
        for earlier in self._open.values():
            earlier.overdue = earlier.overdue or earlier.end_time < end_time
        if segment is None or not segment.clauses:
            return None
        return Begun(segment.clauses, segment.finder.accepted, segment.finder.rest(text))

    def withdraw(self, segment_id: str) -> tuple[int, str] | None:
        """There were no words after all. How many clauses were spoken, and in which language;
        None: none."""
        segment = self._forget(segment_id)
        return (segment.clauses, segment.language) if segment and segment.clauses else None

    def close(self) -> None:
        for segment in self._open.values():
            segment.close()
        self._open.clear()

    def _begin(self, partial: PartialTranscript, target: str) -> _Segment:
        if partial.start_time - self._talk_end >= UNBROKEN:
            self._talk_began = partial.start_time
        for segment_id, earlier in list(self._open.items()):
            # Its final is told by another process, which has taken over the party.
            if partial.start_time - earlier.end_time > FINAL_WITHIN:
                self._forget(segment_id)
        segment = self._open[partial.id] = _Segment(partial.end_time, target)
        return segment

    def _forget(self, segment_id: str) -> _Segment | None:
        segment = self._open.pop(segment_id, None)
        if segment is not None:
            segment.close()
        return segment

    async def _ask(
        self, segment: _Segment, partial: PartialTranscript, clause: Clause, target: str
    ) -> None:
        text = await self._translate(partial, clause, target)
        segment.asking = None
        if text is None:
            segment.finder.refuse()
            return
        segment.finder.accept(clause)
        CLAUSES_SPOKEN_EARLY.inc()
        end = partial.start_time + clause.share * (partial.end_time - partial.start_time)
        self._speak(EarlyClause(partial.id, target, text, segment.clauses, end))
        segment.clauses += 1
