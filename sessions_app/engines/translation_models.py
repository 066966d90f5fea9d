"""Translation models on disk: which pairs each has, and how its texts are marked."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sessions_app.engines.iso639 import two_letter_code

Family = Literal["marian", "marian-multilingual", "m2m100", "nllb"]

_PAIR: Final = re.compile(r"(?:^|[-_.])([a-z]{2,3})[-_]([a-z]{2,3})$")
_M2M: Final = re.compile(r"__([a-z]{2,3})__")
_NLLB: Final = re.compile(r"([a-z]{3})_[A-Z][a-z]{3}")
_MARIAN_TARGET: Final = re.compile(r">>([a-z]{2,3})(?:_[A-Za-z_]+)?<<")
VOCABULARIES: Final = (
    "shared_vocabulary.json", "source_vocabulary.json", "shared_vocabulary.txt",
    "source_vocabulary.txt",
)  # fmt: skip
SOURCE_PIECES: Final = ("source.spm", "sentencepiece.bpe.model", "spm.model", "spm.128k.model")
_USUAL_SCRIPT: Final = {"zh": "zho_Hans", "sr": "srp_Cyrl", "ar": "arb_Arab", "no": "nob_Latn"}


@dataclass(frozen=True, slots=True)
class TranslationModel:
    """A converted model. ``tokens``: its mark for each language, of which texts need one or two.

    ``ends_source``: the caller has to end the source with ``</s>``.
    """

    directory: Path
    family: Family
    pairs: frozenset[tuple[str, str]]
    tokens: tuple[tuple[str, str], ...]
    source_pieces: Path
    target_pieces: Path
    ends_source: bool


def find_models(directory: Path) -> list[TranslationModel]:
    """The models in ``directory``: itself, or its directories. Those for one pair come first."""
    if (directory / "model.bin").is_file():
        places = [directory]
    else:
        places = sorted(path.parent for path in directory.glob("*/model.bin"))
    models = [model for place in places if (model := read_model(place)) is not None]
    return sorted(models, key=lambda model: (len(model.pairs), model.directory.name))


def read_model(directory: Path) -> TranslationModel | None:
    """The model in ``directory``, whose name may say its pair. None: its languages are unknown."""
    pieces = next((directory / n for n in SOURCE_PIECES if (directory / n).is_file()), None)
    vocabulary = _vocabulary(directory)
    if pieces is None or not vocabulary:
        return None
    target = directory / "target.spm"
    family, tokens, pairs = _family(directory.name, vocabulary)
    if not pairs:
        return None
    return TranslationModel(
        directory=directory,
        family=family,
        pairs=pairs,
        tokens=tuple(sorted(tokens.items())),
        source_pieces=pieces,
        target_pieces=target if target.is_file() else pieces,
        ends_source=not _config(directory).get("add_source_eos", False),
    )


def _family(
    name: str, vocabulary: list[str]
) -> tuple[Family, dict[str, str], frozenset[tuple[str, str]]]:
    if tokens := _tokens(vocabulary, _M2M):
        return "m2m100", tokens, _all_pairs(tokens)
    if tokens := _tokens(vocabulary, _NLLB):
        return "nllb", tokens, _all_pairs(tokens)
    if tokens := _tokens(vocabulary, _MARIAN_TARGET):
        source = two_letter_code((re.search(r"([a-z]{2,3})[-_]\w+$", name) or [""] * 2)[1])
        targets = {(source, target) for target in tokens if source and source != target}
        return "marian-multilingual", tokens, frozenset(targets)
    found = _PAIR.search(name)
    codes = (two_letter_code(found[1]), two_letter_code(found[2])) if found else (None, None)
    pairs = {(codes[0], codes[1])} if codes[0] and codes[1] and codes[0] != codes[1] else set()
    return "marian", {}, frozenset(pairs)


def _tokens(vocabulary: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Language → its token in the vocabulary; of several scripts, the usual one."""
    tokens: dict[str, str] = {}
    for word in vocabulary:
        if (match := pattern.fullmatch(word)) and (code := two_letter_code(match[1])):
            if word == _USUAL_SCRIPT.get(code):
                tokens[code] = word
            tokens.setdefault(code, word)
    return tokens


def _all_pairs(tokens: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((one, other) for one in tokens for other in tokens if one != other)


def _vocabulary(directory: Path) -> list[str]:
    for name in VOCABULARIES:
        path = directory / name
        try:
            if path.suffix == ".json":
                return [str(word) for word in json.loads(path.read_text())]
            return path.read_text().splitlines()
        except (OSError, ValueError):
            continue
    return []


def _config(directory: Path) -> dict[str, object]:
    try:
        config = json.loads((directory / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
