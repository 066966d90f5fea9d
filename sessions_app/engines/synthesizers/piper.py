"""``piper://``: natural voices on this machine.

Voices are found in installed ``*_piper_voice`` packages, in ``<data>/voices`` and in the directory
of ``piper:///a/directory``. A voice is ``<name>.onnx`` with ``<name>.onnx.json`` beside it, as in
https://huggingface.co/rhasspy/piper-voices. GPL: installed by the ``speech`` extra.
"""

import importlib.util
import pkgutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.base import (
    EngineMisconfigured,
    SpeechAudio,
    Synthesizer,
    Voice,
)
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.voices import choose, piper_language

_SENTENCE_TIMEOUT = 30.0  # s for one sentence


def from_url(url: EngineURL, context: EngineContext) -> "PiperSynthesizer":
    """The synthesizer with all voices that are installed now."""
    url.read_options()
    directories = [Path(url.path)] if url.path.strip("/") else []
    return PiperSynthesizer([*directories, context.data_dir / "voices", *_packages()])


class PiperSynthesizer(Synthesizer):
    """Piper in a child process, one sentence at a time."""

    name = "piper"

    def __init__(self, directories: list[Path]) -> None:
        self._models: dict[str, Path] = {}
        languages: dict[str, str] = {}
        for model, language in _models(directories) if _installed() else ():
            if self._models.setdefault(model.stem, model) == model:
                languages[model.stem] = language
        self.voices = tuple(Voice(*each, self.name) for each in languages.items())
        self.languages = frozenset(language.split("-")[0] for language in languages.values())
        self._process = WorkerProcess(self.name, _load)

    async def start(self) -> None:
        if not _installed():
            raise EngineMisconfigured("piper:// needs piper-tts: pip install 'kallglot[speech]'")
        if not self.voices:
            raise EngineMisconfigured(
                "piper:// has no voice: pip install 'kallglot[speech]', or put "
                "<name>.onnx and <name>.onnx.json into the data directory's voices folder"
            )
        await self._process.start()
        first = str(self._models[self.voices[0].name])
        await self._process.run(_SENTENCE_TIMEOUT, _speak, first, "a")

    async def close(self) -> None:
        await self._process.stop()

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        chosen = choose(self.voices, language, voice)
        assert chosen is not None  # the language is one of ``languages``
        model = str(self._models[chosen.name])
        for sentence in sentences(text):
            samples, rate = await self._process.run(_SENTENCE_TIMEOUT, _speak, model, sentence)
            yield SpeechAudio(samples, rate)


def _installed() -> bool:
    return importlib.util.find_spec("piper") is not None


def _packages() -> list[Path]:
    directories = []
    for module in pkgutil.iter_modules():
        if module.name.endswith("_piper_voice"):
            spec = importlib.util.find_spec(module.name)
            locations = (spec.submodule_search_locations if spec else None) or []
            directories += [Path(location) / "data" for location in locations]
    return directories


def _models(directories: list[Path]) -> Iterator[tuple[Path, str]]:
    """The model of each voice, with its language."""
    for directory in directories:
        for model in sorted(directory.glob("*.onnx")):
            try:
                yield model, piper_language(Path(f"{model}.json"))
            except ValueError as error:
                raise EngineMisconfigured(str(error)) from error


# -- in the child ------------------------------------------------------------------------------

_loaded: dict[str, Any] = {}


def _load() -> None:
    import piper  # noqa: F401 - a broken installation must fail at start


def _speak(model: str, sentence: str) -> tuple[npt.NDArray[np.int16], int]:
    from piper import PiperVoice

    if model not in _loaded:
        _loaded[model] = PiperVoice.load(model)
    chunks = [chunk.audio_int16_array for chunk in _loaded[model].synthesize(sentence)]
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
    return samples, int(_loaded[model].config.sample_rate)
