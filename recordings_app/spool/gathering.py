"""Finds all parts of a session's spool, here or in the storage, and whether any are missing."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from recordings_app.media import storage
from recordings_app.models import SpoolPart
from recordings_app.spool.parts import PartName, is_being_written, local_parts, part_path
from recordings_app.spool.reader import PartOpener
from sessions_app.models import Session, Track


@dataclass(slots=True)
class Gathered:
    """``complete``: nothing that was written is missing or still being written."""

    complete: bool
    parts: dict[str, list[PartOpener]] = field(default_factory=dict)
    local: list[PartName] = field(default_factory=list)
    uploaded: list[SpoolPart] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [str(part) for part in self.local] + [row.part for row in self.uploaded]


def gather(session: Session, workspace: Path) -> Gathered:
    """``workspace``: where an uploaded part is put while it is read, as a temporary file."""
    return _gather_uploaded(session, workspace) if settings.SPOOL_UPLOAD else _gather_local(session)


def _gather_local(session: Session) -> Gathered:
    found = local_parts(session.id)
    writing = any(is_being_written(part_path(session.id, part)) for part in found)
    if not writing:
        # A writer opens its next part before it closes one, so one may be new: look again.
        again = local_parts(session.id)
        writing, found = again != found, again
    by_speaker: dict[str, list[PartOpener]] = defaultdict(list)
    for part in found:
        by_speaker[part.speaker].append(_local_opener(part_path(session.id, part)))
    return Gathered(complete=not writing, parts=dict(by_speaker), local=found)


def _local_opener(path: Path) -> PartOpener:
    return lambda: path.open("rb")


def _gather_uploaded(session: Session, workspace: Path) -> Gathered:
    rows = sorted(
        SpoolPart.objects.filter(session=session),
        key=lambda row: cast(PartName, PartName.parse(row.part)),
    )
    by_speaker: dict[str, list[PartOpener]] = defaultdict(list)
    for row in rows:
        speaker = cast(PartName, PartName.parse(row.part)).speaker
        by_speaker[speaker].append(_uploaded_opener(row, workspace))
    return Gathered(complete=_is_complete(session, rows), parts=dict(by_speaker), uploaded=rows)


def _is_complete(session: Session, rows: list[SpoolPart]) -> bool:
    """Every generation of every track has all its parts, up to the one marked as its last."""
    numbers: dict[tuple[str, int], set[int]] = defaultdict(set)
    last: dict[tuple[str, int], int] = {}
    for row in rows:
        part = cast(PartName, PartName.parse(row.part))
        numbers[part.speaker, part.generation].add(part.number)
        if row.is_last:
            last[part.speaker, part.generation] = part.number
    return all(
        numbers[track.speaker, generation]
        == set(range(1, last.get((track.speaker, generation), 0) + 1))
        and (track.speaker, generation) in last
        for track in Track.objects.filter(session=session)
        for generation in range(1, track.generation + 1)
    )


def _uploaded_opener(row: SpoolPart, workspace: Path) -> PartOpener:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workspace) as file:
            for chunk in storage.read_whole(row.name):
                file.write(chunk)
            file.seek(0)
            yield file

    return opened
