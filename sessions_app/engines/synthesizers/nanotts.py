"""``nanotts://``: SVOX Pico, small voices for German, English, Spanish, French and Italian.

The library and six voices are in the ``py-nanotts`` wheel (Apache 2.0, 6 MB). It is installed by
the ``speech`` extra, except on macOS, for which there is none. Option: ``speed``, 0.2 to 5 (1).

Pico hangs on some texts without spaces, and markup in a text makes it write files: it runs in a
child process, which is replaced when it hangs, and is given no markup.

Source: https://github.com/gmn/nanotts
"""

import importlib.util
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineRejected,
    SpeechAudio,
    Synthesizer,
    Voice,
)
from sessions_app.engines.process import WorkerProcess
from sessions_app.engines.speech_text import sentences
from sessions_app.engines.urls import EngineContext, EngineURL
from sessions_app.engines.voices import choose

_RATE: Final = 16_000  # Hz
_SENTENCE_TIMEOUT: Final = 3.0  # s; a sentence takes 0.2 s at most
_LONGEST_WORD: Final = 40  # characters; it hangs on some of 300
_PREFIX: Final = "pico-"
_LANGUAGES: Final = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
_SLOWEST, _FASTEST = 0.2, 5.0
_MARKUP: Final = str.maketrans("<>", "  ")


def from_url(url: EngineURL, context: EngineContext) -> "NanoTTSSynthesizer":
    """The synthesizer; the library is loaded by ``start``."""
    return NanoTTSSynthesizer(**url.read_options(speed=_speed))


def _speed(text: str) -> float:
    speed = float(text)
    if not _SLOWEST <= speed <= _FASTEST:
        raise ValueError(f"it must be from {_SLOWEST} to {_FASTEST}")
    return speed


class NanoTTSSynthesizer(Synthesizer):
    """Pico in a child process."""

    name = "nanotts"

    def __init__(self, speed: float = 1.0) -> None:
        installed = importlib.util.find_spec("py_nanotts") is not None
        self.voices = tuple(
            Voice(f"{_PREFIX}{language}", language, self.name)
            for language in _LANGUAGES
            if installed
        )
        self.languages = frozenset(voice.language[:2] for voice in self.voices)
        self._speed = speed
        self._process = WorkerProcess(self.name, _load)

    async def start(self) -> None:
        if not self.voices and sys.platform == "darwin":
            raise EngineMisconfigured(
                "nanotts:// has no package for macOS: leave it out of SYNTHESIZER_URL"
            )
        if not self.voices:
            raise EngineMisconfigured("nanotts:// needs py-nanotts: pip install 'kallglot[speech]'")
        await self._process.start()

    async def close(self) -> None:
        await self._process.stop()

    async def _synthesize(
        self, text: str, language: str, voice: str | None
    ) -> AsyncGenerator[SpeechAudio, None]:
        chosen = choose(self.voices, language, voice)
        assert chosen is not None  # the language is one of ``languages``
        for sentence in _speakable(text):
            samples = await self._process.run(
                _SENTENCE_TIMEOUT, _speak, chosen.language, sentence, self._speed
            )
            yield SpeechAudio(samples, _RATE)


def _speakable(text: str) -> Iterator[str]:
    """Sentences without markup and without very long words."""
    for sentence in sentences(text.translate(_MARKUP)):
        yield " ".join(
            word[start : start + _LONGEST_WORD]
            for word in sentence.split()
            for start in range(0, len(word), _LONGEST_WORD)
        )


# -- in the child ------------------------------------------------------------------------------

_engine: Any = None


def _load() -> None:
    global _engine
    from py_nanotts import NanoTTS

    _engine = NanoTTS()


def _speak(language: str, sentence: str, speed: float) -> npt.NDArray[np.int16]:
    try:
        sound = _engine.speak(sentence, voice=language, speed=None if speed == 1.0 else speed)
    except (RuntimeError, ValueError) as error:  # the same text would fail again
        raise EngineRejected(f"Pico cannot speak this: {error}") from None
    return np.frombuffer(sound[: len(sound) // 2 * 2], "<i2").astype(np.int16)
