"""What this installation can do with speech, according to its settings."""

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from kallglot_site.api.errors import InvalidFieldValue
from sessions_app.engines.base import Engine, EngineError, Synthesizer, Transcriber, Translator
from sessions_app.engines.registry import (
    synthesizer_from_url,
    transcriber_from_url,
    translator_from_url,
)
from sessions_app.engines.urls import EngineContext, EngineURL, parse_chain, split_chain
from sessions_app.engines.voices import Voice
from sessions_app.errors import FeatureNotAvailable, UnsupportedLanguagePair
from sessions_app.languages import NAMES, base_language
from sessions_app.models import Session

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)

_TRANSLATING = (Session.Mode.BIDIRECTIONAL_TRANSLATION, Session.Mode.ASSISTIVE_TRANSLATION)
_ANSWERING = {Session.Mode.AI_AGENT, Session.Mode.HELP_CHAT_VOICE}

_INSTALL = (
    "For English and Spanish, `apt-get install apertium-en-es` on the server is enough; "
    "other engines are named by TRANSLATOR_URL."
)
_MOST_NAMED = 30
"""Pairs or languages that an error message lists."""


def mode_require(mode: str, source_language: str | None, target_language: str | None) -> None:
    """Raises FeatureNotAvailable or UnsupportedLanguagePair when a mode cannot be served.

    ``source_language`` is the customer's, ``target_language`` the agent's; None: not known yet.
    """
    if mode in _TRANSLATING:
        _translation_require(mode, source_language, target_language)
    if mode in _ANSWERING:
        raise FeatureNotAvailable(
            f"`{mode}` needs a language model, and this installation has none. "
            "`transcription` is available.",
            param="mode",
        )


def _translation_require(mode: str, customer: str | None, agent: str | None) -> None:
    translator = _translator(translator_url())
    if translator is None or not translator.pairs():
        raise FeatureNotAvailable(
            f"`{mode}` needs a translator, and this installation has none. {_INSTALL} "
            "`transcription` is available.",
            param="mode",
        )
    spoken = _languages(_synthesizer(settings.SYNTHESIZER_URL))
    if not spoken:
        raise FeatureNotAvailable(
            f"`{mode}` needs a voice, and this installation has none: set SYNTHESIZER_URL. "
            "`transcription` is available.",
            param="mode",
        )
    customer = base_language(customer) if customer else None
    agent = base_language(agent) if agent else None
    if customer is not None and customer == agent:
        return  # the words are passed on as they are
    _voices_require(mode, customer, agent, spoken)
    pairs = translator.pairs()
    if customer and agent and {(customer, agent), (agent, customer)} <= pairs:
        return
    possible = _conversations(mode, pairs, spoken)
    if not possible:
        raise FeatureNotAvailable(
            f"`{mode}` needs translation in both directions, and no pair of languages has it "
            f"with a voice. {_INSTALL}",
            param="mode",
        )
    if not any(customer in (None, one) and agent in (None, other) for one, other in possible):
        raise UnsupportedLanguagePair(
            f"This installation cannot translate both ways between {customer or 'any language'} "
            f"and {agent or 'any language'}. Possible (customer-agent): "
            f"{_listed(f'{one}-{other}' for one, other in possible)}.",
            param="source_language" if customer else "target_language",
        )


def _voices_require(
    mode: str, customer: str | None, agent: str | None, spoken: frozenset[str]
) -> None:
    """The customer hears speech in every translating mode, the agent only in the bidirectional."""
    listeners = [("source_language", customer)]
    if mode == Session.Mode.BIDIRECTIONAL_TRANSLATION:
        listeners.append(("target_language", agent))
    for param, language in listeners:
        if language is not None and language not in spoken:
            raise UnsupportedLanguagePair(
                f"No voice of this installation speaks {language}, and `{mode}` needs one. "
                f"Spoken: {_listed(spoken)}. See SYNTHESIZER_URL.",
                param=param,
            )


def _conversations(
    mode: str, pairs: frozenset[tuple[str, str]], spoken: frozenset[str]
) -> list[tuple[str, str]]:
    """The (customer, agent) languages that a translating mode can serve."""
    both_speak = mode == Session.Mode.BIDIRECTIONAL_TRANSLATION
    return sorted(
        (customer, agent)
        for customer, agent in pairs
        if (agent, customer) in pairs and customer in spoken and (agent in spoken or not both_speak)
    )


def detection_require(languages: Iterable[str]) -> None:
    """``languages`` are what detection may choose among. Raises InvalidFieldValue for one that no
    transcriber hears: its words would be written in another language."""
    heard = _languages(_transcriber(settings.TRANSCRIBER_URL))
    unheard = {base_language(language) for language in languages} - heard
    if heard and unheard:
        raise InvalidFieldValue(
            f"This installation does not hear {', '.join(sorted(unheard))}. "
            "`GET /v1/languages` lists what it hears.",
            param="transcription.languages",
        )


def voices_require(**names: str | None) -> None:
    """``names`` are the voices by party. Raises InvalidFieldValue for one that no engine has."""
    synthesizer = _synthesizer(settings.SYNTHESIZER_URL)
    if synthesizer is not None and not synthesizer.lists_voices:
        return
    known = {voice.name for voice in voices()}
    for party, name in names.items():
        if name is not None and name not in known:
            raise InvalidFieldValue(
                f"This installation has no voice {name!r}. `GET /v1/voices` lists those it has.",
                param=f"translation.voice.{party}",
            )


def voices(language: str | None = None) -> list[Voice]:
    """The voices of the configured synthesizers that can list theirs, ordered by language.

    Those of one language are in the order of preference: without a name the first is used.
    """
    synthesizer = _synthesizer(settings.SYNTHESIZER_URL)
    found = () if synthesizer is None else synthesizer.voices
    if language is not None:
        found = tuple(voice for voice in found if voice.speaks(language))
    return sorted(found, key=lambda voice: base_language(voice.language))


def translating_modes() -> list[str]:
    """The translating modes that this installation can serve in at least one pair of languages."""
    return [mode for mode in _TRANSLATING if conversations(mode)]


def conversations(mode: str) -> list[tuple[str, str]]:
    """The (customer, agent) languages that a translating mode can serve here, ordered."""
    spoken = _languages(_synthesizer(settings.SYNTHESIZER_URL))
    return _conversations(mode, translation_pairs(), spoken)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMED
    listed = ", ".join(ordered[:_MOST_NAMED])
    return f"{listed} and {more} more: see GET /v1/languages" if more > 0 else listed


@dataclass(frozen=True, slots=True)
class Language:
    """What this installation can do in one language.

    ``heard``: it can be transcribed; ``spoken``: it can be synthesized. ``via``: the third
    languages of the targets that are not translated into directly.
    """

    code: str  # ISO 639-1
    heard: bool
    spoken: bool
    translates_to: tuple[str, ...]
    via: Mapping[str, str]


def languages() -> list[Language]:
    """All languages that a configured engine supports, ordered by code."""
    heard = _languages(_transcriber(settings.TRANSCRIBER_URL))
    spoken = _languages(_synthesizer(settings.SYNTHESIZER_URL))
    translator = _translator(translator_url())
    targets: dict[str, dict[str, str | None]] = {}
    for source, target in sorted(translation_pairs()):
        if source in NAMES and target in NAMES and translator is not None:
            targets.setdefault(source, {})[target] = translator.via(source, target)
    codes = heard | spoken | targets.keys() | {code for each in targets.values() for code in each}
    return [
        Language(
            code,
            heard=code in heard,
            spoken=code in spoken,
            translates_to=tuple(targets.get(code, {})),
            via={target: via for target, via in targets.get(code, {}).items() if via},
        )
        for code in sorted(codes & NAMES.keys())
    ]


def translation_pairs() -> frozenset[tuple[str, str]]:
    """The (source, target) pairs of the configured translator; empty without one."""
    translator = _translator(translator_url())
    return frozenset() if translator is None else translator.pairs()


def text_translation_pairs() -> frozenset[tuple[str, str]]:
    """The pairs in which texts can be translated without their audio."""
    translator = _translator(text_translator_url())
    return frozenset() if translator is None else translator.pairs()


def text_translator_url() -> str:
    """``translator_url`` without the engines that need audio; empty: no other."""
    return ",".join(
        url for url in split_chain(translator_url()) if not url.startswith("whisper://")
    )


def translator_url() -> str:
    """TRANSLATOR_URL; without one, what this installation has anyway; empty: nothing.

    That is the English that Whisper makes of other languages, which is better than a translation
    by rules, and the language pairs of Apertium that are installed.
    """
    return settings.TRANSLATOR_URL or _found_translators(settings.TRANSCRIBER_URL)


@functools.cache
def _found_translators(transcriber_url: str) -> str:
    found = []
    with suppress(EngineError):
        if any(_makes_english(url) for url in parse_chain(transcriber_url)):
            found.append("whisper://")
    apertium = _translator("apertium://")
    if apertium is not None and apertium.pairs():
        found.append("apertium://")
    return ",".join(found)


def _makes_english(transcriber: EngineURL) -> bool:
    """Whether it is a Whisper model that was trained to translate."""
    model = f"{transcriber.host}{transcriber.path}".rstrip("/").rpartition("/")[2].lower()
    untrained = "turbo" in model or "distil" in model or model.endswith(".en")
    return transcriber.scheme == "whisper" and not untrained


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
