"""The voices of synthesizers: what they are called, and which of them speaks a language."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that speaks one language.

    ``name`` is what a caller asks for; ``language`` is ISO 639-1, with the region if it is known:
    ``es`` or ``es-MX``. ``engine`` is the name of the synthesizer.
    """

    name: str
    language: str
    engine: str

    def speaks(self, language: str) -> bool:
        """Whether that is its language, in whatever region."""
        return _base(self.language) == _base(language)


def choose(voices: Sequence[Voice], language: str, name: str | None = None) -> Voice | None:
    """The named voice if it speaks the language; else the first of the region; else the first of
    the language. None: no voice speaks it."""
    fitting = [voice for voice in voices if voice.speaks(language)]
    named = next((voice for voice in fitting if voice.name == name), None)
    regional = (voice for voice in fitting if voice.language.lower() == language.lower())
    return named or next(regional, None) or next(iter(fitting), None)


def piper_language(description: Path) -> str:
    """The language in the ``.onnx.json`` of a Piper voice, as in ``es-MX``. Raises ValueError."""
    try:
        settings = json.loads(description.read_text(encoding="utf-8"))
        code = settings.get("language", {}).get("code") or settings["espeak"]["voice"]
        language, separator, region = code.replace("_", "-").partition("-")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{description} does not describe a Piper voice") from error
    return f"{language.lower()}{separator}{region.upper()}"


def _base(language: str) -> str:
    return language.partition("-")[0].lower()
