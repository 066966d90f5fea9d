"""Uploads finished spool parts from this machine to the storage while calls run.

One thread in each gateway process; a lock lets one of them per machine work at a time. A part is
uploaded, read back, recorded as a row, and only then deleted here. Wherever this is killed, the
part is in at least one place, at worst in two.
"""

import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.db import close_old_connections, connection, transaction

from recordings_app.deletions import ADOPTION, deletions_cancel, deletions_schedule, spool_remove
from recordings_app.media import storage
from recordings_app.media.checksums import digest, measure
from recordings_app.models import Assembly, Deletion, SpoolPart
from recordings_app.services import (
    assembly_make_again,
    assembly_make_due,
    session_recordings_create,
)
from recordings_app.spool.parts import (
    PartName,
    is_being_written,
    local_parts,
    local_sessions,
    part_path,
    parts_remove,
    spool_root,
)
from sessions_app.models import Session

log = logging.getLogger(__name__)

INTERVAL: Final = 5.0


def start() -> None:
    """Start uploading in the background. Does nothing where all machines share a data directory."""
    if settings.SPOOL_UPLOAD:
        threading.Thread(target=_run, name="spool-shipper", daemon=True).start()


def _run() -> None:
    pause = threading.Event()
    while True:
        try:
            close_old_connections()
            with _only_shipper() as alone:
                if alone:
                    parts_ship()
        except Exception:
            log.exception("uploading spool parts failed; trying again")
        finally:
            connection.close()
        pause.wait(INTERVAL)


@contextmanager
def _only_shipper() -> Iterator[bool]:
    """Whether no other process of this machine is shipping."""
    spool_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (spool_root() / ".shipper").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def parts_ship() -> int:
    """Upload every finished part on this machine. Returns how many."""
    here = list(local_sessions())
    sessions = Session.objects.select_related("organization").in_bulk(here)
    erased = set(
        Deletion.objects.filter(kind=Deletion.Kind.SPOOL, name__in=here).values_list(
            "name", flat=True
        )
    )
    shipped = 0
    for session_id in here:
        if session_id in erased:
            spool_remove(session_id)
        elif session_id not in sessions:
            log.warning("the spool of %s belongs to no session; it is kept", session_id)
        else:
            shipped += _session_ship(sessions[session_id])
    return shipped


def _session_ship(session: Session) -> int:
    shipped = 0
    for part in local_parts(session.id):
        if is_being_written(part_path(session.id, part)):
            continue
        try:
            part_ship(session=session, part=part)
            shipped += 1
        except Exception:
            log.exception("part %s of %s could not be uploaded; trying again", part, session.id)
    if shipped:
        _tell_assembly(session)
    return shipped


def part_ship(*, session: Session, part: PartName) -> None:
    """Upload one finished part and delete it here. Raises what the storage raises."""
    path = part_path(session.id, part)
    # Looked at after the part was unlocked: a writer opens its next part before that.
    is_last = not any(
        (other.channel, other.generation) == (part.channel, part.generation)
        and other.number > part.number
        for other in local_parts(session.id)
    )
    if not SpoolPart.objects.filter(session=session, part=str(part)).exists():
        name = storage.spool_name(session.id, str(part))
        deletions_schedule(names=[name], after=ADOPTION)
        with path.open("rb") as file:
            size, sha256 = measure(file)
            file.seek(0)
            storage.store_as_is(name, file)
        if digest(storage.read_whole(name)) != (size, sha256):
            raise storage.StorageMismatch("the stored part differs from what was stored")
        with transaction.atomic():
            deletions_cancel(names=[name])
            SpoolPart.objects.create(
                session=session,
                part=str(part),
                name=name,
                size=size,
                sha256=sha256,
                is_last=is_last,
            )
    parts_remove(session.id, [part])


def _tell_assembly(session: Session) -> None:
    """Have recordings made again if parts arrived after the call was assembled."""
    session.refresh_from_db()
    if not session.is_ended or session.transcript_status != Session.TranscriptStatus.COMPLETE:
        return
    if Assembly.objects.filter(session=session).exists():
        assembly_make_again(session_id=session.id)
    elif session_recordings_create(session=session):
        assembly_make_due(session_id=session.id)
