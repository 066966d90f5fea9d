"""What this installation can do with speech, according to its settings."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from sessions_app.engines.base import Engine, EngineError, Synthesizer, Transcriber, Translator
from sessions_app.engines.registry import (
    synthesizer_from_url,
    transcriber_from_url,
    translator_from_url,
)
from sessions_app.engines.urls import EngineContext
from sessions_app.errors import FeatureNotAvailable
from sessions_app.languages import NAMES
from sessions_app.models import Session

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)

_TRANSLATING = {Session.Mode.BIDIRECTIONAL_TRANSLATION, Session.Mode.ASSISTIVE_TRANSLATION}
_ANSWERING = {Session.Mode.AI_AGENT, Session.Mode.HELP_CHAT_VOICE}


def mode_require(mode: str, source_language: str | None, target_language: str | None) -> None:
    """Raises FeatureNotAvailable (or UnsupportedLanguagePair) when a mode cannot be served.

    This is the only check that refuses translation and the AI modes while they have no pipeline.
    """
    if mode in _TRANSLATING:
        raise FeatureNotAvailable(
            f"`{mode}` needs a translator, and this installation has none. "
            "`transcription` is available.",
            param="mode",
        )
    if mode in _ANSWERING:
        raise FeatureNotAvailable(
            f"`{mode}` needs a language model, and this installation has none. "
            "`transcription` is available.",
            param="mode",
        )


@dataclass(frozen=True, slots=True)
class Language:
    """What this installation can do in one language.

    ``heard``: it can be transcribed; ``spoken``: it can be synthesized.
    """

    code: str  # ISO 639-1
    heard: bool
    spoken: bool
    translates_to: tuple[str, ...]


def languages() -> list[Language]:
    """All languages that a configured engine supports, ordered by code."""
    heard = _languages(_transcriber(settings.TRANSCRIBER_URL))
    spoken = _languages(_synthesizer(settings.SYNTHESIZER_URL))
    pairs = translation_pairs()
    codes = heard | spoken | {code for pair in pairs for code in pair}
    return [
        Language(
            code,
            heard=code in heard,
            spoken=code in spoken,
            translates_to=tuple(sorted(target for source, target in pairs if source == code)),
        )
        for code in sorted(codes & NAMES.keys())
    ]


def translation_pairs() -> frozenset[tuple[str, str]]:
    """The (source, target) pairs of the configured translator; empty without one."""
    translator = _translator(settings.TRANSLATOR_URL)
    return frozenset() if translator is None else translator.pairs()


def _languages(engine: Transcriber | Synthesizer | None) -> frozenset[str]:
    return frozenset() if engine is None else engine.languages


# Cached, because making some engines reads directories. One function per kind, because
# functools.cache hides a generic result type from mypy.


@functools.cache
def _transcriber(url: str) -> Transcriber | None:
    return _made(transcriber_from_url, url)


@functools.cache
def _synthesizer(url: str) -> Synthesizer | None:
    return _made(synthesizer_from_url, url)


@functools.cache
def _translator(url: str) -> Translator | None:
    return _made(translator_from_url, url)


def _made(make: Callable[[str, EngineContext], E], url: str) -> E | None:
    """An engine that is never started. None: no URL, or misconfigured."""
    if not url:
        return None
    try:
        return make(url, EngineContext(data_dir=settings.DATA_DIR))
    except EngineError:
        logger.warning("an engine is misconfigured", exc_info=True)
        return None
