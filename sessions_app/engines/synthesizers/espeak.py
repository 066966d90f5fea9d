"""``espeak://``: eSpeak NG, a plain voice for about a hundred languages, in milliseconds.

The library and its data are in the ``espeakng-loader`` wheel, so no system package is needed.
GPL: installed by the ``speech`` extra. Option: ``speed`` in words per minute.

Source: ``speak_lib.h`` of https://github.com/espeak-ng/espeak-ng.
"""

import ctypes
import importlib.util
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineRejected,
    EngineUnavailable,
    SpeechAudio,
    Synthesizer,
    Voice,
)
from sessions_app.engines.iso639 import two_letter_code
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.voices import choose

_SENTENCE_TIMEOUT = 20.0  # s for one sentence

_PREFIX = "espeak-"  # of the names of the voices: Pico's would differ in nothing but the case
_PREFERRED = ("en-us",)
_REGIONS = {"en": "en-GB", "vi": "vi-VN"}  # of codes that do not name theirs
_DICTIONARIES = {"nb": "no"}  # of languages whose dictionary has another name
_REGION = re.compile(r"[A-Z]{2}|[0-9]{3}")
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")

# The language whose voice is used for one that has none.
_NEAREST = {
    "no": "nb",
    "es-mx": "es-419",
    "es-ar": "es-419",
    "es-co": "es-419",
    "en-au": "en-GB",
}


def from_url(url: EngineURL, context: EngineContext) -> "EspeakSynthesizer":
    """The synthesizer; the library is loaded by ``start``."""
    return EspeakSynthesizer(**url.read_options(speed=int))


class EspeakSynthesizer(Synthesizer):
    """eSpeak NG in a child process."""

    name = "espeak"

    def __init__(self, speed: int = 160) -> None:
        self.voices = tuple(
            Voice(f"{_PREFIX}{code}", language, self.name) for code, language in _languages()
        )
        spoken = {voice.language.partition("-")[0] for voice in self.voices}
        nearest = {wanted for wanted, used in _NEAREST.items() if used in spoken}
        self.languages = frozenset(spoken | nearest)
        self._speed = speed
        self._process = WorkerProcess(self.name, _load)

    async def start(self) -> None:
        if not self.voices:
            raise EngineMisconfigured(
                "espeak:// needs espeakng-loader: pip install 'kallglot[speech]'"
            )
        await self._process.start()

    async def close(self) -> None:
        await self._process.stop()

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        chosen = choose(self.voices, _NEAREST.get(language.lower(), language), voice)
        assert chosen is not None  # the language is one of ``languages``
        code = chosen.name.removeprefix(_PREFIX)
        for sentence in sentences(text):
            samples, rate = await self._process.run(
                _SENTENCE_TIMEOUT, _speak, code, sentence, self._speed
            )
            yield SpeechAudio(samples, rate)


def _languages() -> list[tuple[str, str]]:
    """eSpeak NG's code and ISO language of all voices that have data, the preferred ones first."""
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is None or spec.origin is None:
        return []
    data = Path(spec.origin).parent / "espeak-ng-data"
    found = []
    for file in (data / "lang").rglob("*"):
        first, *subtags = file.name.split("-")
        language = two_letter_code(first)
        if language is None or not (data / f"{_DICTIONARIES.get(first, first)}_dict").is_file():
            continue
        # Data with a script is for texts that are not in the language's usual one.
        if any(map(_SCRIPT.fullmatch, subtags)):
            continue
        regions = [each for each in subtags[:1] if _REGION.fullmatch(each)]
        found.append((file.name.lower(), _REGIONS.get(file.name, "-".join([language, *regions]))))
    return sorted(found, key=lambda each: (each[0] not in _PREFERRED, each))


# -- in the child ------------------------------------------------------------------------------

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE = 1
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

_library: Any = None
_sample_rate = 0
_chunks: list[npt.NDArray[np.int16]] = []


def _keep(samples: Any, count: int, events: Any) -> int:
    if samples and count > 0:
        _chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
    return 0


_callback = _Callback(_keep)  # referenced here, because the library holds only its address


def _load() -> None:
    global _library, _sample_rate
    import espeakng_loader

    _library = ctypes.CDLL(espeakng_loader.get_library_path())
    _library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
        ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    data = espeakng_loader.get_data_path().encode()
    _sample_rate = _library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DO_NOT_EXIT)
    if _sample_rate <= 0:
        raise EngineUnavailable("eSpeak NG could not be initialised")
    _library.espeak_SetSynthCallback(_callback)


def _speak(code: str, sentence: str, speed: int) -> tuple[npt.NDArray[np.int16], int]:
    _chunks.clear()
    if _library.espeak_SetVoiceByName(code.encode()) != 0:
        raise EngineRejected(f"eSpeak NG has no voice {code}")
    _library.espeak_SetParameter(_RATE, speed, 0)
    text = sentence.encode() + b"\0"
    if _library.espeak_Synth(text, len(text), 0, 1, 0, _UTF8, None, None) != 0:
        raise EngineUnavailable("eSpeak NG could not speak")
    _library.espeak_Synchronize()
    return (np.concatenate(_chunks) if _chunks else np.zeros(0, np.int16)), _sample_rate
