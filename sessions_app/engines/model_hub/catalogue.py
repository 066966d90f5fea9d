"""The models that have names here (``catalogue.toml``), and any other on the hub by its address."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from sessions_app.engines.model_hub.errors import ModelError

Kind = Literal["translation", "whisper", "voice"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

VOICES_REPO: Final = "rhasspy/piper-voices"
_VOICE: Final = re.compile(r"piper-(([a-z]{2,3})_[A-Z]{2}-([^\W-]+)-(x_low|low|medium|high))")
_NAME: Final = re.compile(r"\w[\w.+-]*")
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_CONVERTED: Final = re.compile(
    r"^ct2fast-|^faster-(?=whisper)|[-_](?:ctranslate2|ct2)\b.*$|[-_](?:int8|float16)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that the hub has.

    ``kind`` None: found out from the repository's files. ``files`` are paths in the repository;
    empty: those that its kind needs. ``megabytes`` 0: not known before the hub is asked.
    """

    name: str
    kind: Kind | None
    repo: str
    files: tuple[str, ...] = ()
    licence: str = ""
    megabytes: int = 0
    about: str = ""


@cache
def entries() -> tuple[Entry, ...]:
    """The catalogue, in the order of its file."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return tuple(
        Entry(**{**row, "files": tuple(row.get("files", ()))})
        for row in tomllib.loads(text)["model"]
    )


def find(given: str, name: str | None = None) -> Entry:
    """The model that an operator names: of the catalogue, a Piper voice, or ``hf:OWNER/REPO``.

    ``name`` is what a model of the hub is called here. Raises ModelError.
    """
    if given.startswith("hf:"):
        return _of_the_hub(given.removeprefix("hf:"), name)
    if name is not None:
        raise ModelError("--name is only for hf:OWNER/REPO: other models have names.")
    known = {entry.name: entry for entry in entries()}
    if entry := known.get(given):
        return entry
    if voice := _VOICE.fullmatch(given):
        stem, language, speaker, quality = voice.groups()
        path = f"{language}/{stem.partition('-')[0]}/{speaker}/{quality}/{stem}.onnx"
        return Entry(
            name=given,
            kind="voice",
            repo=VOICES_REPO,
            files=(path, f"{path}.json"),
            licence=f"see {path.rpartition('/')[0]}/MODEL_CARD in {VOICES_REPO}",
            about=f"{language}, {speaker}, {quality} quality",
        )
    raise ModelError(
        f"There is no model {given!r}. `manage.py models list` names those that are known; "
        "others are hf:OWNER/REPO, other voices piper-LANGUAGE_REGION-NAME-QUALITY."
    )


def name_checked(name: str) -> str:
    """``name``, if it is safe as the name of a file or folder. Raises ModelError."""
    if not _NAME.fullmatch(name) or len(name) > 100:
        raise ModelError(f"{name!r} is not a name of a model, such as opus-mt-en-es.")
    return name


def _of_the_hub(repo: str, name: str | None) -> Entry:
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise ModelError(f"hf:{repo}: use hf:OWNER/REPO, as in hf:Systran/faster-whisper-tiny.")
    usual = _CONVERTED.sub("", repo.partition("/")[2])
    return Entry(name=name_checked(name or usual), kind=None, repo=repo)
