"""Makes engines from URLs: ``whisper://base`` is made by ``transcribers/whisper.py``.

The scheme is the name of the file (``-`` becomes ``_``), which has a function
``from_url(url, context)``. To add an engine, add a file. Several URLs separated by commas are a
fallback chain in order of preference.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from sessions_app.engines import (
    embedders,
    fallback,
    responders,
    synthesizers,
    transcribers,
    translators,
)
from sessions_app.engines.base import (
    EngineMisconfigured,
    Synthesizer,
    Transcriber,
    Translator,
)
from sessions_app.engines.embedding import Embedder
from sessions_app.engines.pivot import PivotTranslator
from sessions_app.engines.responder import Responder
from sessions_app.engines.urls import EngineContext, EngineURL, parse_chain


def schemes(package: ModuleType) -> list[str]:
    """The URL schemes in a package of engines (``transcribers``, …)."""
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))


def transcriber_from_url(text: str, context: EngineContext) -> Transcriber:
    """The transcriber, or fallback chain of transcribers, for the URL or URLs in ``text``.

    Nothing is loaded yet: ``await engine.start()`` does that. Raises ``EngineMisconfigured``.
    """
    engines: list[Transcriber] = _engines(text, context, transcribers, "transcriber")
    return engines[0] if len(engines) == 1 else fallback.FallbackTranscriber(engines)


def translator_from_url(text: str, context: EngineContext) -> Translator:
    """The translator, or fallback chain of translators, for ``text``.

    Pairs that no engine has are translated over a third language.
    """
    engines: list[Translator] = _engines(text, context, translators, "translator")
    direct = engines[0] if len(engines) == 1 else fallback.FallbackTranslator(engines)
    return PivotTranslator(direct)


def synthesizer_from_url(text: str, context: EngineContext) -> Synthesizer:
    """The synthesizer, or fallback chain of synthesizers, for ``text``."""
    engines: list[Synthesizer] = _engines(text, context, synthesizers, "synthesizer")
    return engines[0] if len(engines) == 1 else fallback.FallbackSynthesizer(engines)


def responder_from_url(text: str, context: EngineContext) -> Responder:
    """The responder for ``text``. A chain is refused: no engine can continue another's answer."""
    engines: list[Responder] = _engines(text, context, responders, "responder")
    if len(engines) > 1:
        raise EngineMisconfigured("a responder cannot be a chain: give one URL")
    return engines[0]


def embedder_from_url(text: str, context: EngineContext) -> Embedder:
    """The embedder for ``text``. A chain is refused: vectors of two models are not comparable."""
    engines: list[Embedder] = _engines(text, context, embedders, "embedder")
    if len(engines) > 1:
        raise EngineMisconfigured("an embedder cannot be a chain: give one URL")
    return engines[0]


def _engines(text: str, context: EngineContext, package: ModuleType, kind: str) -> list[Any]:
    return [_engine(url, context, package, kind) for url in parse_chain(text)]


def _engine(url: EngineURL, context: EngineContext, package: ModuleType, kind: str) -> Any:
    known = schemes(package)
    if url.scheme not in known:
        existing = ", ".join(f"{name}://" for name in known) or "none yet"
        raise EngineMisconfigured(f"there is no {kind} {url.scheme}://; there are: {existing}")
    module = importlib.import_module(f"{package.__name__}.{url.scheme.replace('-', '_')}")
    return module.from_url(url, context)
