"""``piper://``: natural voices on this machine.

Voices are found in installed ``*_piper_voice`` packages, in ``<data>/voices`` and in the directory
of ``piper:///a/directory``. A voice is ``<name>.onnx`` with ``<name>.onnx.json`` beside it, as in
https://huggingface.co/rhasspy/piper-voices. GPL: installed by the ``speech`` extra.
"""

import importlib.util
import json
import pkgutil
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineRejected,
    SpeechAudio,
    Synthesizer,
)
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.urls import EngineContext, EngineURL

_SENTENCE_TIMEOUT = 30.0  # s for one sentence


def from_url(url: EngineURL, context: EngineContext) -> "PiperSynthesizer":
    """The synthesizer with all voices that are installed now."""
    url.read_options()
    directories = [Path(url.path)] if url.path.strip("/") else []
    return PiperSynthesizer([*directories, context.data_dir / "voices", *_packages()])


@dataclass(frozen=True, slots=True)
class Voice:
    """An installed voice. ``language`` is ISO 639-1, ``region`` as in ``US`` or empty."""

    name: str
    language: str
    region: str
    model: Path


class PiperSynthesizer(Synthesizer):
    """Piper in a child process, one sentence at a time."""

    name = "piper"

    def __init__(self, directories: list[Path]) -> None:
        self.voices = {voice.name: voice for voice in _voices(directories)}
        self.languages = frozenset(voice.language for voice in self.voices.values())
        self._process = WorkerProcess(self.name, _load)

    async def start(self) -> None:
        if importlib.util.find_spec("piper") is None:
            raise EngineMisconfigured("piper:// needs piper-tts: pip install 'kallglot[speech]'")
        if not self.voices:
            raise EngineMisconfigured(
                "piper:// has no voice: pip install 'kallglot[speech]', or put "
                "<name>.onnx and <name>.onnx.json into the data directory's voices folder"
            )
        await self._process.start()
        first = next(iter(self.voices.values()))
        await self._process.run(_SENTENCE_TIMEOUT, _speak, str(first.model), "a")

    async def close(self) -> None:
        await self._process.stop()

    def voice_for(self, language: str, voice: str | None) -> Voice:
        """The named voice, else the best for the language. Raises ``EngineRejected``."""
        if voice in self.voices:
            return self.voices[voice]
        base, _, region = language.partition("-")
        fitting = [v for v in self.voices.values() if v.language == base.lower()]
        if not fitting:
            raise EngineRejected(f"piper:// has no voice for {language}")
        return max(fitting, key=lambda candidate: candidate.region == region.upper())

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        chosen = self.voice_for(language, voice)
        for sentence in sentences(text):
            samples, rate = await self._process.run(
                _SENTENCE_TIMEOUT, _speak, str(chosen.model), sentence
            )
            yield SpeechAudio(samples, rate)


def _packages() -> list[Path]:
    directories = []
    for module in pkgutil.iter_modules():
        if module.name.endswith("_piper_voice"):
            spec = importlib.util.find_spec(module.name)
            locations = (spec.submodule_search_locations if spec else None) or []
            directories += [Path(location) / "data" for location in locations]
    return directories


def _voices(directories: list[Path]) -> Iterator[Voice]:
    for directory in directories:
        for model in sorted(directory.glob("*.onnx")):
            try:
                settings = json.loads(Path(f"{model}.json").read_text())
            except (OSError, ValueError) as error:
                raise EngineMisconfigured(f"the voice {model} has no readable .json") from error
            code = settings.get("language", {}).get("code") or settings["espeak"]["voice"]
            language, _, region = code.replace("_", "-").partition("-")
            yield Voice(model.stem, language.lower(), region.upper(), model)


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
