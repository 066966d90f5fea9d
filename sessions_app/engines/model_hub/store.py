"""Models in the data directory: what is installed, fetching one, removing one.

A model is put together in ``.partial`` beside its place, on the same disk, and renamed when it is
whole: a process that is killed leaves nothing that looks like a model, and the next one goes on
where it stopped.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sessions_app.engines.model_hub.catalogue import Entry, Kind, name_checked
from sessions_app.engines.model_hub.errors import ModelError
from sessions_app.engines.model_hub.hub import Hub, HubFile, Repository
from sessions_app.engines.model_hub.kinds import PREFIXES, SHAPES, belongs, kind_of, missing
from sessions_app.engines.translation_models import read_model

_SPARE: Final = 64 * 1024 * 1024  # bytes left free on the disk
_PARTIAL: Final = ".partial"

Report = Callable[[int, int], None]
"""Called with the bytes that are here and those of the whole model."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that is here. ``size`` in bytes; ``path`` is its folder, or a voice's model."""

    name: str
    kind: Kind
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fetched for a model. The kind of ``entry`` is known."""

    entry: Entry
    kind: Kind
    repository: Repository
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


def plan_for(entry: Entry, hub: Hub) -> Plan:
    """Ask the hub what the model consists of. Raises ModelError if it has no whole model."""
    repository = hub.repository(entry.repo)
    try:
        kind = entry.kind or kind_of(name for name in repository.files if "/" not in name)
        wanted = entry.files or tuple(
            path for path in repository.files if "/" not in path and belongs(kind, path)
        )
        files = [repository.files[path] for path in wanted if path in repository.files]
        if lacking := missing(kind, (file.name for file in files)):
            raise ModelError(f"{', '.join(lacking)} is missing.")
        if kind == "voice" and len(files) != 2:
            raise ModelError("it holds several voices; name one as in piper-es_ES-davefx-medium.")
    except ModelError as error:
        raise ModelError(f"{entry.repo} on the hub is of no use here: {error}") from None
    if entry.kind is None:
        entry = replace(entry, kind=kind, name=_name_here(kind, entry.name, files))
    # What describes a model is looked at before its weights are fetched.
    files.sort(key=lambda file: (file.name.endswith((".bin", ".onnx")), file.path))
    return Plan(entry, kind, repository, tuple(files))


def _name_here(kind: Kind, name: str, files: list[HubFile]) -> str:
    if kind == "voice":  # the engine takes the name of the file
        name = next(file.name for file in files if file.name.endswith(".onnx"))[: -len(".onnx")]
    return name if name.startswith(PREFIXES[kind]) else PREFIXES[kind] + name


class ModelStore:
    """The models below the data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def installed(self) -> list[Installed]:
        """All models that are here, by name."""
        found = [*self._folders(), *self._voices()]
        return sorted(found, key=lambda each: each.name)

    def find(self, name: str) -> Installed | None:
        return next((each for each in self.installed() if each.name == name), None)

    def get(self, plan: Plan, hub: Hub, report: Report) -> Installed:
        """Fetch the model. Raises ModelError; what has arrived is kept for the next time."""
        name = plan.entry.name
        with self._locked(name, plan.kind) as partial:
            if here := self.find(name):
                return here
            place = self.place(plan.kind, name)
            if plan.kind != "voice" and place.exists():
                raise ModelError(f"{place} is there and is not a whole model: move it away first.")
            self._room_checked(plan, partial)
            try:
                self._fetch(plan, hub, partial, report)
                self._put_in_place(plan, partial)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise ModelError(
                        f"The disk of {partial} is full. Free some space and run this again: it "
                        "goes on where it stopped."
                    ) from None
                raise
        here = self.find(name)
        if here is None:
            raise ModelError(f"{name} was removed while it was fetched.")
        return here

    def remove(self, name: str) -> int:
        """Delete the model and what was fetched of it. Returns the bytes; raises ModelError."""
        name_checked(name)
        freed = 0
        here = self.find(name)
        kind = here.kind if here else _kind_by_name(name)
        begun = self.data_dir / SHAPES[kind].folder / _PARTIAL / name
        if here is None and not begun.is_dir():
            raise ModelError(f"{name} is not installed. `manage.py models list` says what is.")
        with self._locked(name, kind) as partial:
            if partial.is_dir():
                freed += _size(partial)
                shutil.rmtree(partial)
            if here is not None:
                freed += here.size
                _delete(here, partial)
        return freed

    def place(self, kind: Kind, name: str) -> Path:
        """The folder of a model, or that of all voices."""
        parent = self.data_dir / SHAPES[kind].folder
        return parent if kind == "voice" else parent / name

    def _folders(self) -> Iterator[Installed]:
        for weights in (self.data_dir / "models").glob("*/model.bin"):
            folder = weights.parent
            if folder.name.startswith("."):
                continue
            if not missing("whisper", _names(folder)) and folder.name.startswith("whisper-"):
                yield Installed(folder.name, "whisper", _size(folder), folder)
            elif read_model(folder) is not None:
                yield Installed(folder.name, "translation", _size(folder), folder)

    def _voices(self) -> Iterator[Installed]:
        for model in (self.data_dir / "voices").glob("*.onnx"):
            settings = model.with_name(f"{model.name}.json")
            if settings.is_file():
                size = model.stat().st_size + settings.stat().st_size
                yield Installed(f"{PREFIXES['voice']}{model.stem}", "voice", size, model)

    @contextmanager
    def _locked(self, name: str, kind: Kind) -> Iterator[Path]:
        """The folder in which the model is put together, for this process alone."""
        folder = self.data_dir / SHAPES[kind].folder / _PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ModelError(f"Another process is fetching or removing {name}.") from None
        try:
            yield folder / name
        finally:
            lock.release()

    def _room_checked(self, plan: Plan, partial: Path) -> None:
        missing_bytes = plan.size - min(_size(partial), plan.size)
        free = shutil.disk_usage(partial.parent).free
        if missing_bytes + _SPARE > free:
            raise ModelError(
                f"{plan.entry.name} needs {(missing_bytes + _SPARE) / 1e6:,.0f} MB, and the disk "
                f"of {partial.parent.parent} has {free / 1e6:,.0f} MB free. Free some space, or "
                "set KALLGLOT_DATA_DIR to a folder on another disk."
            )

    def _fetch(self, plan: Plan, hub: Hub, partial: Path, report: Report) -> None:
        partial.mkdir(exist_ok=True)
        done = 0
        for number, file in enumerate(plan.files):
            if number == len(plan.files) - 1 and (problem := SHAPES[plan.kind].problem(partial)):
                shutil.rmtree(partial)
                raise ModelError(f"{plan.entry.repo} is of no use here: {problem}.")
            before = done
            hub.download(
                plan.repository,
                file,
                partial / file.name,
                lambda here, before=before: report(before + here, plan.size),  # type: ignore[misc]
            )
            done += file.size
            report(done, plan.size)

    def _put_in_place(self, plan: Plan, partial: Path) -> None:
        wanted = {file.name for file in plan.files}
        for left in partial.iterdir():  # of an earlier version of the model
            if left.name not in wanted:
                left.unlink()
        place = self.place(plan.kind, plan.entry.name)
        if plan.kind != "voice":
            partial.rename(place)
        else:
            for name in sorted(wanted, key=len, reverse=True):  # the model after its description
                (partial / name).replace(place / name)
            partial.rmdir()
        descriptor = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _delete(here: Installed, partial: Path) -> None:
    """Out of sight first: a process that is killed meanwhile leaves no half of a model."""
    if here.kind == "voice":
        here.path.unlink()
        here.path.with_name(f"{here.path.name}.json").unlink()
    elif here.path.is_symlink():  # what it points to is not ours
        here.path.unlink()
    else:
        here.path.rename(partial)
        shutil.rmtree(partial)


def _kind_by_name(name: str) -> Kind:
    return next(
        (kind for kind, prefix in PREFIXES.items() if prefix and name.startswith(prefix)),
        "translation",
    )


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _size(folder: Path) -> int:
    """In bytes, of all files below; 0 if there is no such folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
