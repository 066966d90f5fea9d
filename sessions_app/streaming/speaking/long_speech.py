"""Speaks the clauses of a long utterance while its speaker goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sessions_app.live_events import PartialTranscript
from sessions_app.streaming.speaking.clauses import Clause, ClauseFinder
from sessions_app.streaming.speaking.metrics import CLAUSES_SPOKEN_EARLY

LONG: Final = 6.0
"""Seconds of an utterance from which on its clauses are spoken before it ends."""

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


class LongSpeech:
    """Of one party. Translates one clause at a time, and only what it has translated is spoken."""

    def __init__(self, *, translate: Translate, speak: Callable[[EarlyClause], None]) -> None:
        self._translate = translate
        self._speak = speak
        self._segment_id: str | None = None
        self._finder = ClauseFinder()
        self._clauses = 0
        self._language = ""
        self._asking: asyncio.Task[None] | None = None

    def hear(self, partial: PartialTranscript, source: str, target: str) -> None:
        """The next partial, in the language ``source``."""
        if partial.id != self._segment_id:
            self._forget()
            self._segment_id = partial.id
        self._language = target
        self._finder.observe(partial.text)
        if self._asking is not None or partial.end_time - partial.start_time <= LONG:
            return
        clause = self._finder.offer(source)
        if clause is not None:
            self._asking = asyncio.create_task(self._ask(partial, clause, target))

    def finish(self, segment_id: str, text: str) -> Begun | None:
        """The utterance is over, and ``text`` is what was said. None: nothing of it is spoken.

        A clause whose translation is not there yet belongs to the rest.
        """
        begun = None
        if segment_id == self._segment_id and self._clauses:
            begun = Begun(self._clauses, self._finder.accepted, self._finder.rest(text))
        self._forget()
        return begun

    def withdraw(self, segment_id: str) -> tuple[int, str] | None:
        """There were no words after all. How many clauses were spoken, and in which language;
        None: none."""
        if segment_id != self._segment_id:
            return None
        spoken = (self._clauses, self._language) if self._clauses else None
        self._forget()
        return spoken

    def close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._segment_id = None
        self._finder, self._clauses = ClauseFinder(), 0
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self, partial: PartialTranscript, clause: Clause, target: str) -> None:
        text = await self._translate(partial, clause, target)
        self._asking = None
        if text is None:
            self._finder.refuse()
            return
        self._finder.accept(clause)
        CLAUSES_SPOKEN_EARLY.inc()
        end = partial.start_time + clause.share * (partial.end_time - partial.start_time)
        self._speak(EarlyClause(partial.id, target, text, self._clauses, end))
        self._clauses += 1
