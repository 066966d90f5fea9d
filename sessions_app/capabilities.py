"""What this installation can do with speech, judged from how it is configured."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from sessions_app.engines.base import EngineError
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

_TRANSLATING = {Session.Mode.BIDIRECTIONAL_TRANSLATION, Session.Mode.ASSISTIVE_TRANSLATION}
_ANSWERING = {Session.Mode.AI_AGENT, Session.Mode.HELP_CHAT_VOICE}


def mode_require(mode: str, source_language: str | None, target_language: str | None) -> None:
    """Raises FeatureNotAvailable (or UnsupportedLanguagePair) when a mode cannot be served.

    The one place that opens translation and the AI modes once their pipelines exist.
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
    """What this installation can do in one language."""

    code: str  # ISO 639-1
    heard: bool
    spoken: bool
    translates_to: tuple[str, ...]


def languages() -> list[Language]:
    """Every language that any configured engine handles, in the order of their codes."""
    heard = _engine_languages(transcriber_from_url, settings.TRANSCRIBER_URL)
    spoken = _engine_languages(synthesizer_from_url, settings.SYNTHESIZER_URL)
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
    """The (source, target) pairs of the configured translator; none without one."""
    translator = _engine(translator_from_url, settings.TRANSLATOR_URL)
    return frozenset() if translator is None else translator.pairs


def _engine_languages(make: Callable[[str, EngineContext], Any], url: str) -> frozenset[str]:
    engine = _engine(make, url)
    return frozenset() if engine is None else frozenset(engine.languages)


@functools.cache
def _engine(make: Callable[[str, EngineContext], Any], url: str) -> Any | None:
    """An engine that is only asked what it can do, never started. None: none, or misconfigured."""
    if not url:
        return None
    try:
        return make(url, EngineContext(data_dir=settings.DATA_DIR))
    except EngineError:
        logger.warning("an engine cannot be made as configured", exc_info=True)
        return None
