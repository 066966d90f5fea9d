"""Finds all parts of a session's spool, here or in the storage, and whether any are missing."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings

from recordings_app.channels import TRANSLATIONS, channels_of
from recordings_app.media import storage
from recordings_app.models import Recording, SpoolPart
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
    by_channel: dict[str, list[PartOpener]] = defaultdict(list)
    for part in found:
        by_channel[part.channel].append(_local_opener(part_path(session.id, part)))
    return Gathered(complete=not writing, parts=dict(by_channel), local=found)


def _local_opener(path: Path) -> PartOpener:
    return lambda: path.open("rb")


def _gather_uploaded(session: Session, workspace: Path) -> Gathered:
    rows = sorted(
        SpoolPart.objects.filter(session=session),
        key=lambda row: cast(PartName, PartName.parse(row.part)),
    )
    by_channel: dict[str, list[PartOpener]] = defaultdict(list)
    for row in rows:
        channel = cast(PartName, PartName.parse(row.part)).channel
        by_channel[channel].append(_uploaded_opener(row, workspace))
    return Gathered(complete=_is_complete(session, rows), parts=dict(by_channel), uploaded=rows)


def _is_complete(session: Session, rows: list[SpoolPart]) -> bool:
    """Every generation of every track has all its parts, up to the one marked as its last, and so
    has what its party heard of the other's translation, where that is recorded."""
    numbers: dict[tuple[str, int], set[int]] = defaultdict(set)
    last: dict[tuple[str, int], int] = {}
    for row in rows:
        part = cast(PartName, PartName.parse(row.part))
        numbers[part.channel, part.generation].add(part.number)
        if row.is_last:
            last[part.channel, part.generation] = part.number
    # A call that a server without this feature recorded has none.
    translation = Recording.objects.filter(session=session, channel__in=TRANSLATIONS).exists()
    written = [
        (channel, generation)
        for track in Track.objects.filter(session=session)
        for channel in channels_of(track.speaker, translation=translation)
        for generation in range(1, track.generation + 1)
    ]
    return all(each in last and numbers[each] == set(range(1, last[each] + 1)) for each in written)


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
