"""What the two parties speak: which language each of them uses, and what was said lately."""

from collections import deque
from typing import Final

from sessions_app.live_events import FinalTranscript
from sessions_app.media import Speaker

SURE: Final = 1.0
"""Seconds of an utterance from which one in another language is believed at once. Shorter ones are
often taken for another language: two in a row are needed."""

RECENT: Final = 4
"""Utterances that help a translator to understand the next one."""


def other_party(speaker: Speaker) -> Speaker:
    return "agent" if speaker == "customer" else "customer"


def base(language: str) -> str:
    """Without its region: ``es-MX`` → ``es``."""
    return language.partition("-")[0].lower()


class Conversation:
    """Of one session. The languages are those named on creation, and what is heard since."""

    def __init__(self, *, customer: str | None, agent: str | None) -> None:
        self._named: dict[Speaker, str | None] = {"customer": customer, "agent": agent}
        self._heard: dict[Speaker, str] = {}
        self._doubted: dict[Speaker, str] = {}
        self._recent: deque[FinalTranscript] = deque(maxlen=16)

    def language_of(self, speaker: Speaker) -> str | None:
        """ISO 639-1, without a region; None: not known yet."""
        spoken = self._heard.get(speaker) or self._named[speaker]
        return base(spoken) if spoken else None

    def voice_language(self, speaker: Speaker) -> str | None:
        """The same with the region that was named, for the choice of a voice."""
        named, language = self._named[speaker], self.language_of(speaker)
        return named if named and language == base(named) else language

    def is_understood(self, speaker: Speaker) -> bool:
        """Whether the other party hears ``speaker``'s own voice: it speaks the same language, as
        far as is known, or nobody knows yet what the other party speaks."""
        target = self.language_of(other_party(speaker))
        return target is None or target == self.language_of(speaker)

    def words_before(self, segment_id: str) -> tuple[str, ...]:
        """The last utterances of both parties before this one."""
        before = [each.text for each in self._recent if each.id != segment_id]
        return tuple(before[-RECENT:])

    def heard_before(self, speaker: Speaker, language: str | None) -> None:
        """What was stored of an earlier utterance. Later ones count for more."""
        if language and self.language_of(speaker) is None and speaker not in self._doubted:
            self._heard[speaker] = base(language)

    def observe(self, final: FinalTranscript) -> None:
        """An utterance has been transcribed. Being told twice changes nothing."""
        if any(each.id == final.id for each in self._recent):
            return
        self._recent.append(final)
        speaker, language = final.speaker, base(final.language)
        sure = final.end_time - final.start_time >= SURE
        known = self.language_of(speaker)
        if sure or known in (None, language) or self._doubted.get(speaker) == language:
            self._heard[speaker] = language
            self._doubted.pop(speaker, None)
        else:
            self._doubted[speaker] = language
