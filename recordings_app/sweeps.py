"""What time brings: recordings past their retention, and spools that were left behind."""

import logging
from typing import Final

from django.conf import settings

from recordings_app.assembly import workspace
from recordings_app.models import Assembly, Tombstone
from recordings_app.selectors import recordings_expired
from recordings_app.services import (
    assembly_make_again,
    assembly_make_due,
    recording_purge,
    session_recordings_create,
)
from recordings_app.spool import parts
from recordings_app.spool.gathering import gather
from recordings_app.spool.reader import survey
from recordings_app.tombstones import spool_remove
from sessions_app.models import Session

log = logging.getLogger(__name__)

SWEEP_SIZE: Final = 200


def recordings_purge_expired() -> int:
    """Delete the audio of recordings past their retention. One that fails stops no other."""
    purged = 0
    for recording in recordings_expired(SWEEP_SIZE):
        try:
            recording_purge(recording=recording)
            purged += 1
        except Exception:
            log.exception("could not purge %s; trying again", recording.id)
    return purged


def spool_leftovers_adopt() -> int:
    """Turn spools that nobody asked for into recordings, and clear away what has become one.

    Returns how many sessions were given to assembly.
    """
    if settings.SPOOL_UPLOAD:
        return 0  # the shipper of each machine sees to its own
    here = list(parts.local_sessions())
    sessions = Session.objects.select_related("organization").in_bulk(here)
    assemblies = Assembly.objects.in_bulk(here)
    erased = set(
        Tombstone.objects.filter(kind=Tombstone.Kind.SPOOL, name__in=here).values_list(
            "name", flat=True
        )
    )
    adopted = 0
    for session_id in here:
        if session_id in erased:
            spool_remove(session_id)
        elif (session := sessions.get(session_id)) is None:
            log.warning("the spool of %s belongs to no session; it is kept", session_id)
        else:
            adopted += _adopt(session, assemblies.get(session_id))
    return adopted


def _adopt(session: Session, assembly: Assembly | None) -> bool:
    if assembly is None:
        finished = session.transcript_status == Session.TranscriptStatus.COMPLETE
        if not (session.is_ended and finished):
            return False
        if not session_recordings_create(session=session):
            _clear_away_if_empty(session)
            return False
        return assembly_make_due(session_id=session.id)
    if assembly.status != Assembly.Status.DONE:
        return False
    if assembly.incomplete:
        return gather(session, workspace()).complete and assembly_make_again(session_id=session.id)
    # The worker died between its commit and this.
    consumed = set(assembly.consumed)
    found = parts.local_parts(session.id)
    parts.parts_remove(session.id, [part for part in found if str(part) in consumed])
    return False


def _clear_away_if_empty(session: Session) -> None:
    """Somebody connected and left without a word."""
    gathered = gather(session, workspace())
    if gathered.complete and not any(
        survey(openers).records for openers in gathered.parts.values()
    ):
        parts.parts_remove(session.id, gathered.local)
