"""Periodic work: recordings past their retention, and spools that nobody has assembled."""

import logging
from typing import Final

from django.conf import settings

from recordings_app.assembly import workspace
from recordings_app.deletions import spool_remove
from recordings_app.models import Assembly, Deletion, Recording
from recordings_app.selectors import recordings_expired
from recordings_app.services import (
    assembly_make_again,
    assembly_make_due,
    recording_delete,
    session_recordings_create,
)
from recordings_app.spool import parts
from recordings_app.spool.gathering import gather
from recordings_app.spool.reader import survey
from sessions_app.models import Session

log = logging.getLogger(__name__)

SWEEP_SIZE: Final = 200


def recordings_expire() -> int:
    """Delete the audio of recordings past their retention, the longest overdue first.

    One that fails stops no other, however many fail. Returns how many were deleted.
    """
    deleted = 0
    last: Recording | None = None
    while page := recordings_expired(SWEEP_SIZE, after=last):
        for recording in page:
            try:
                recording_delete(recording=recording)
                deleted += 1
            except Exception:
                log.exception("could not delete %s; trying again", recording.id)
        last = page[-1]
    return deleted


def spool_leftovers_adopt() -> int:
    """Have recordings made of spools that have none, and delete spools that have become some.

    Returns how many sessions were given to assembly.
    """
    if settings.SPOOL_UPLOAD:
        return 0  # each machine's shipper does this for its own spools
    here = list(parts.local_sessions())
    sessions = Session.objects.select_related("organization").in_bulk(here)
    assemblies = Assembly.objects.in_bulk(here)
    erased = set(
        Deletion.objects.filter(kind=Deletion.Kind.SPOOL, name__in=here).values_list(
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
            _delete_if_empty(session)
            return False
        return assembly_make_due(session_id=session.id)
    if assembly.status != Assembly.Status.DONE:
        return False
    if assembly.incomplete:
        return gather(session, workspace()).complete and assembly_make_again(session_id=session.id)
    # The worker died after its commit and before it deleted the spool.
    consumed = set(assembly.consumed)
    found = parts.local_parts(session.id)
    parts.parts_remove(session.id, [part for part in found if str(part) in consumed])
    return False


def _delete_if_empty(session: Session) -> None:
    """Delete the spool of a session in which nobody spoke."""
    gathered = gather(session, workspace())
    if gathered.complete and not any(
        survey(openers).records for openers in gathered.parts.values()
    ):
        parts.parts_remove(session.id, gathered.local)
