"""Translates partials, so that a party's words can be read in another language while it speaks.

A translation of half a sentence changes with every word that follows. Only its beginning is shown,
on which two successive translations agree, and what is shown is not made shorter before the final.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sessions_app.live_events import PartialTranscript, TranslationPartial
from sessions_app.media import Speaker
from sessions_app.streaming.speaking.metrics import SUBTITLES, SUBTITLES_REVISED

Translate = Callable[[PartialTranscript, str], Awaitable[str | None]]
"""Translates the words of a partial into a language; None: the engine failed."""

_PUNCTUATION: Final = ".,;:!?…¡¿\"'"


class Subtitles:
    """Of one party. At most one request is under way; the newest partial waits for it.

    Args:
        hurried: whether a final is being translated, which a subtitle must not delay.
    """

    def __init__(
        self,
        speaker: Speaker,
        *,
        translate: Translate,
        tell: Callable[[TranslationPartial], None],
        hurried: Callable[[], bool],
    ) -> None:
        self._speaker: Speaker = speaker
        self._translate = translate
        self._tell = tell
        self._hurried = hurried
        self._segment_id: str | None = None
        self._language = ""
        self._latest: list[str] = []  # the latest translation, word by word
        self._shown: list[str] = []
        self._waiting: PartialTranscript | None = None
        self._asking: asyncio.Task[None] | None = None

    def hear(self, partial: PartialTranscript, language: str) -> None:
        """The next partial, to be read in ``language``."""
        if (partial.id, language) != (self._segment_id, self._language):
            self.finish()
            self._segment_id, self._language = partial.id, language
            self._latest, self._shown = [], []
        self._waiting = partial
        if self._asking is None:
            self._asking = asyncio.create_task(self._work())

    def withdraw(self, segment_id: str) -> None:
        """There were no words: its subtitle disappears."""
        if segment_id != self._segment_id:
            return
        if self._shown:
            self._tell(TranslationPartial(segment_id, self._speaker, self._language, ""))
        self.finish()

    def finish(self) -> None:
        """The utterance is over: its translation comes, and no more subtitles of it."""
        self._segment_id = self._waiting = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _work(self) -> None:
        while (partial := self._waiting) is not None:
            self._waiting = None
            if self._hurried():
                continue
            text = await self._translate(partial, self._language)
            if text is not None:
                self._show(partial.id, text.split())
        self._asking = None

    def _show(self, segment_id: str, words: list[str]) -> None:
        stable = _common(self._latest, words)
        self._latest = words
        if not stable or stable == self._shown or _is_beginning(stable, self._shown):
            return
        if not _is_beginning(self._shown, stable):
            SUBTITLES_REVISED.inc()
        SUBTITLES.inc()
        self._shown = stable
        text = " ".join(stable)
        self._tell(TranslationPartial(segment_id, self._speaker, self._language, text))


def _plain(word: str) -> str:
    return word.casefold().strip(_PUNCTUATION)


def _common(before: list[str], after: list[str]) -> list[str]:
    """The words of ``after`` at its beginning that are in ``before`` as well."""
    count = 0
    for old, new in zip(before, after, strict=False):
        if _plain(old) != _plain(new):
            break
        count += 1
    return after[:count]


def _is_beginning(words: list[str], of: list[str]) -> bool:
    return len(_common(of, words)) == len(words)
