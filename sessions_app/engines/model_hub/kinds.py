"""What each kind of model is made of, where it belongs, and which setting uses it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from sessions_app.engines.model_hub.catalogue import Kind
from sessions_app.engines.model_hub.errors import ModelError
from sessions_app.engines.translation_models import SOURCE_PIECES, VOCABULARIES, read_model
from sessions_app.engines.voices import piper_language


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of model. ``needs``: of each group of file names one must be there; ``takes``: more.

    ``folder`` is in the data directory. ``problem`` says what is wrong with a model's files when
    only its weights are not there yet; empty: nothing. In ``setting``, ``{name}`` stands
    for the name that its engine knows.
    """

    folder: str
    needs: tuple[tuple[str, ...], ...]
    takes: tuple[str, ...]
    problem: Callable[[Path], str]
    setting: str
    uses_all: str = ""


def _translation_problem(folder: Path) -> str:
    if read_model(folder) is None:
        return (
            "its languages are not known. OPUS-MT models are named by their pair: get it with "
            "--name, as in --name opus-mt-en-es"
        )
    return ""


def _voice_problem(folder: Path) -> str:
    for path in folder.glob("*.onnx.json"):
        try:
            piper_language(path)
            settings = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(settings["audio"]["sample_rate"], int):
                continue
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return f"{path.name} is not the description of a Piper voice"
    return ""


SHAPES: Final[dict[Kind, Shape]] = {
    "translation": Shape(
        folder="models",
        needs=(("model.bin",), ("config.json",), VOCABULARIES, SOURCE_PIECES),
        takes=("target.spm", "target_vocabulary.*"),
        problem=_translation_problem,
        setting="TRANSLATOR_URL=ctranslate2://{name}",
        uses_all="ctranslate2:// uses all translation models that are installed.",
    ),
    "whisper": Shape(
        folder="models",
        needs=(("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.*",)),
        takes=("preprocessor_config.json",),
        problem=lambda folder: "",
        setting="TRANSCRIBER_URL=whisper://{name}",
    ),
    "voice": Shape(
        folder="voices",
        needs=(("*.onnx",), ("*.onnx.json",)),
        takes=(),
        problem=_voice_problem,
        setting="SYNTHESIZER_URL=piper://",
        uses_all='It is the voice "{name}"; piper:// uses all voices that are installed.',
    ),
}
PREFIXES: Final[dict[Kind, str]] = {"translation": "", "whisper": "whisper-", "voice": "piper-"}
"""With what the names of a kind begin here. The engines leave it out."""


def missing(kind: Kind, names: Iterable[str]) -> list[str]:
    """What a model of this kind needs and has not, as names of files."""
    there = list(names)
    return [
        " or ".join(group)
        for group in SHAPES[kind].needs
        if not any(fnmatchcase(name, pattern) for name in there for pattern in group)
    ]


def belongs(kind: Kind, name: str) -> bool:
    """Whether a file of this name is a part of such a model."""
    shape = SHAPES[kind]
    patterns = [pattern for group in shape.needs for pattern in group] + list(shape.takes)
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def kind_of(names: Iterable[str]) -> Kind:
    """What the files at the top of a repository are. Raises ModelError."""
    there = list(names)
    lacking = {kind: missing(kind, there) for kind in SHAPES}
    for kind, files in lacking.items():
        if not files:
            return kind
    if "model.bin" in there:
        # The one that it is nearest to tells what is missing.
        of_translation = len(lacking["translation"]) <= len(lacking["whisper"])
        nearest: Kind = "translation" if of_translation else "whisper"
        raise ModelError(f"it is no {nearest} model: {', '.join(lacking[nearest])} is missing.")
    raise ModelError(
        "it holds no model for CTranslate2 (model.bin is missing) and no Piper voice (.onnx)."
    )


def engine_name(kind: Kind, name: str) -> str:
    """The name of a model in its engine's URL."""
    return name.removeprefix(PREFIXES[kind])


def setting(kind: Kind, name: str) -> str:
    """The setting that uses the model, with its value."""
    return SHAPES[kind].setting.format(name=engine_name(kind, name))


def also(kind: Kind, name: str) -> str:
    """What else there is to know of the setting."""
    return SHAPES[kind].uses_all.format(name=engine_name(kind, name))
