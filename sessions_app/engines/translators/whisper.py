"""``whisper://``: into English, as the Whisper transcriber heard it.

Whisper translates speech, not text: the transcriber makes the English of an utterance beside its
transcript, on the audio that it has encoded anyway. Without that English this engine refuses, and
the next one of the chain translates the text.
"""

import difflib
import re
from typing import Final

from sessions_app.engines.base import EngineRejected, TranslationRequest, Translator
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.whisper.languages import LANGUAGES

_SHORTEST_COPY: Final = 3  # words; shorter texts may be names, or the same in both languages
_SHARED: Final = 0.6  # share of the words


def from_url(url: EngineURL, context: EngineContext) -> "WhisperTranslator":
    """The translator; it loads nothing."""
    url.read_options()
    return WhisperTranslator()


class WhisperTranslator(Translator):
    """Gives the English that came with the transcription."""

    name = "whisper-english"
    keeps_placeholders = False
    attempts = 1
    _pairs = frozenset((code, "en") for code in LANGUAGES if code != "en")

    def pairs(self) -> frozenset[tuple[str, str]]:
        return self._pairs

    def translates_text(self, source: str, target: str) -> bool:
        return False

    def wants_english(self, source: str, target: str) -> bool:
        return self.supports(source, target)

    async def _translate(self, request: TranslationRequest) -> str:
        if (request.source, request.target) not in self._pairs:
            raise EngineRejected("whisper:// translates into English only")
        if not request.english or not request.english.strip():
            raise EngineRejected("the transcriber made no English of this speech")
        if _is_copy(request.text, request.english):
            raise EngineRejected("the transcriber gave the words as they were spoken")
        return request.english


def _is_copy(text: str, english: str) -> bool:
    """Whether Whisper has transcribed again: small models do so with some sentences."""
    words, english_words = _words(text), _words(english)
    shared = difflib.SequenceMatcher(None, words, english_words, autojunk=False).ratio()
    return len(words) >= _SHORTEST_COPY and shared > _SHARED


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
