"""Where spool parts are, and which are still being written.

    <data>/spool/<session id>/<channel>-<generation>-<number>.part

A part's writer holds a ``flock`` on it as long as it lives, and opens the next part before it
closes one. So an unlocked part is finished, whether its writer closed it or was killed, and it is
its generation's last if there is none with a higher number.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from kallglot_site.api.ids import is_id

_NAME: Final = re.compile(
    r"(?P<channel>(?:agent|customer)(?:_translation)?)-(?P<generation>\d{6})-(?P<number>\d{6})\.part"
)
UNNAMED: Final = ".new"
"""Suffix of a part until its writer has locked it."""


@dataclass(frozen=True, slots=True, order=True)
class PartName:
    """Ordered as they were written, for each channel.

    The generation is that of the claim under which it was written: for a translation, of the claim
    on the track of the party that heard it.
    """

    channel: str
    generation: int
    number: int

    def __str__(self) -> str:
        return f"{self.channel}-{self.generation:06d}-{self.number:06d}.part"

    @classmethod
    def parse(cls, name: str) -> "PartName | None":
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        return cls(match["channel"], int(match["generation"]), int(match["number"]))


def spool_root() -> Path:
    return Path(settings.DATA_DIR) / "spool"


def session_directory(session_id: str) -> Path:
    """Raises ValueError for anything but a session id, so that nothing else becomes a path."""
    if not is_id(session_id, "sess"):
        raise ValueError("not a session id")
    return spool_root() / session_id


def part_path(session_id: str, part: PartName) -> Path:
    return session_directory(session_id) / str(part)


def local_sessions() -> Iterator[str]:
    """Ids of the sessions that have a spool on this machine."""
    try:
        with os.scandir(spool_root()) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    yield from sorted(name for name in names if is_id(name, "sess"))


def local_parts(session_id: str) -> list[PartName]:
    """Oldest first, for each channel."""
    try:
        names = [path.name for path in session_directory(session_id).iterdir()]
    except FileNotFoundError:
        return []
    return sorted(part for name in names if (part := PartName.parse(name)))


def lock(descriptor: int) -> None:
    """Mark an open part as being written, until it is closed or the process ends."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def is_being_written(path: Path) -> bool:
    """Whether a live process has the part locked. False too if the part is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def parts_remove(session_id: str, parts: list[PartName]) -> None:
    """Delete these parts, and the session's directory if it is empty then. Safe to repeat."""
    directory = session_directory(session_id)
    for part in parts:
        (directory / str(part)).unlink(missing_ok=True)
        (directory / f"{part}{UNNAMED}").unlink(missing_ok=True)
    try:
        directory.rmdir()
    except OSError:
        return  # not empty, or gone already
