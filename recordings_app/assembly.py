"""Making an ended session's recordings out of its spool: take, gather, make, store, verify, commit.

Whatever line a worker dies on, the spool is still there, the work is due again when the lease runs
out, and files that were stored but never adopted are deleted by their tombstones. The spool goes
only after what was stored has been read back and compared.
"""

import datetime
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from recordings_app import leases
from recordings_app.events import RECORDING_FAILED, RECORDING_READY, recording_event
from recordings_app.media import storage
from recordings_app.media.encoding import CONTENT_TYPES
from recordings_app.media.encryption import MediaKeyError
from recordings_app.media.mixing import MadeFile, MadeRecording, make
from recordings_app.models import Assembly, Recording, RecordingFile, SpoolPart
from recordings_app.spool.gathering import Gathered, gather
from recordings_app.spool.parts import parts_remove
from recordings_app.spool.reader import TrackSurvey, survey
from recordings_app.tombstones import ADOPTION, tombstones_lift, tombstones_raise
from sessions_app.models import Session

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 6
GRACE: Final = datetime.timedelta(minutes=2)
"""How long parts of a dead or silent server are waited for."""
_LOOK_AGAIN: Final = datetime.timedelta(seconds=1)
_BACKOFF: Final = datetime.timedelta(seconds=10)

_CUT_SHORT: Final = "The recording could not be written to the end of the call."
_NOTHING: Final = "No audio was recorded."


def workspace() -> Path:
    return Path(settings.DATA_DIR) / "tmp"


@dataclass(frozen=True, slots=True)
class _Adopted:
    """A stored file that has passed its verification, and the recording it is for."""

    recording: Recording
    made: MadeFile
    file: RecordingFile


def session_assemble(*, session_id: str) -> bool:
    """Make the recordings of a session, if that is due and nobody else is at it.

    Returns whether they were made. Never raises for what another attempt may mend.
    """
    row = Assembly.objects.filter(session_id=session_id, status=Assembly.Status.DUE)
    token = leases.take(row)
    if token is None:
        return False
    try:
        with leases.kept(Assembly, session_id, token):
            return _assemble(session_id, token)
    except leases.LeaseLost:
        log.warning("assembly of %s went to another worker", session_id)
    except Exception as error:
        log.exception("assembly of %s failed", session_id)
        _failed_attempt(session_id, token, error)
    return False


def _assemble(session_id: str, token: str) -> bool:
    session = Session.objects.select_related("organization").get(pk=session_id)
    gathered = gather(session, workspace())
    if not gathered.complete and _wait_for_parts(session_id, token):
        return False
    tracks = {speaker: survey(parts) for speaker, parts in gathered.parts.items()}
    made = make(
        tracks,
        dual=session.recording_channels == Session.Channels.DUAL,
        duration=session.duration,
        workspace=workspace(),
    )
    try:
        adopted = _store(session, made)
        _commit(session, token, gathered, made, adopted, _failure(tracks))
    finally:
        for file in made.files:
            file.content.close()
    return True


def _wait_for_parts(session_id: str, token: str) -> bool:
    """Let go of the work for a moment. False: what is missing has been waited for long enough."""
    assembly = Assembly.objects.get(pk=session_id)
    now = timezone.now()
    since = assembly.waiting_since or now
    if now - since > GRACE:
        return False
    Assembly.objects.filter(pk=session_id, lease=token).update(
        lease="", waiting_since=since, due_at=now + _LOOK_AGAIN, attempts=assembly.attempts - 1
    )
    return True


def _failure(tracks: dict[str, TrackSurvey]) -> str:
    if any(track.failed for track in tracks.values()):
        return _CUT_SHORT
    return "" if any(track.parts for track in tracks.values()) else _NOTHING


def _store(session: Session, made: MadeRecording) -> list[_Adopted]:
    recordings = {
        recording.channel: recording
        for recording in Recording.objects.filter(session=session).select_related("organization")
    }
    adopted = []
    for file in made.files:
        recording = recordings.get(file.channel)
        if recording is None or recording.status == Recording.Status.DELETED:
            continue
        row = stored_file(recording, file.format, file.sample_rate)
        row.encrypted = storage.store(
            row.name, file.rewound(), content_type=CONTENT_TYPES[file.format]
        )
        row.size, row.sha256 = file.size, file.sha256
        storage.verify(row, file.sha256)
        adopted.append(_Adopted(recording, file, row))
    return adopted


def stored_file(recording: Recording, format: str, sample_rate: int) -> RecordingFile:
    """An unsaved row with a name of its own, and the tombstone that guards it until it is saved."""
    name = storage.object_name(
        recording.organization_id, recording.session_id, recording.id, format
    )
    tombstones_raise(names=[name], after=ADOPTION)
    return RecordingFile(
        recording=recording,
        format=format,
        sample_rate=sample_rate,
        status=RecordingFile.Status.READY,
        name=name,
    )


@transaction.atomic
def _commit(
    session: Session,
    token: str,
    gathered: Gathered,
    made: MadeRecording,
    adopted: list[_Adopted],
    failure: str,
) -> None:
    """Everything at once: files, recordings, events, and leave to delete the spool."""
    done = Assembly.objects.filter(pk=session.pk, status=Assembly.Status.DUE, lease=token).update(
        status=Assembly.Status.DONE,
        lease="",
        error="",
        waiting_since=None,
        incomplete=not gathered.complete,
        consumed=gathered.names,
    )
    if not done:
        raise leases.LeaseLost
    for each in adopted:
        _adopt(each, made, failure)
    if gathered.complete:
        rows = SpoolPart.objects.filter(pk__in=[row.pk for row in gathered.uploaded])
        tombstones_raise(names=[row.name for row in gathered.uploaded])
        rows.delete()
        transaction.on_commit(lambda: parts_remove(session.id, gathered.local))


def _adopt(each: _Adopted, made: MadeRecording, failure: str) -> None:
    recording = (
        Recording.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .get(pk=each.recording.pk)
    )
    if recording.status == Recording.Status.DELETED:
        return  # its tombstone stands, and takes the file away again
    former = recording.files.all()
    tombstones_raise(names=list(former.values_list("name", flat=True)))
    former.delete()
    tombstones_lift(names=[each.file.name])
    each.file.save(force_insert=True)
    recording.status = Recording.Status.FAILED if failure else Recording.Status.READY
    recording.failure = failure
    recording.duration = made.duration
    recording.format = each.made.format
    recording.size = each.made.size
    recording.sample_rate = each.made.sample_rate
    recording.audio_channels = each.made.channels
    recording.peaks = (
        made.peaks
        if recording.channel == Recording.Channel.MIXED
        else {recording.channel: made.peaks[recording.channel]}
    )
    recording.save()
    recording_event(RECORDING_FAILED if failure else RECORDING_READY, recording)


@transaction.atomic
def _failed_attempt(session_id: str, token: str, error: Exception) -> None:
    """Another try later, or, after enough of them, a failure. The spool stays either way."""
    assembly = (
        Assembly.objects.filter(pk=session_id, lease=token, status=Assembly.Status.DUE)
        .select_for_update()  # or the lease may go to another before this is written
        .first()
    )
    if assembly is None:
        return
    reason = type(error).__name__
    if assembly.attempts < MAX_ATTEMPTS and not isinstance(error, MediaKeyError):
        Assembly.objects.filter(pk=session_id).update(
            lease="", error=reason, due_at=timezone.now() + _BACKOFF * 4 ** (assembly.attempts - 1)
        )
        return
    Assembly.objects.filter(pk=session_id).update(
        lease="", error=reason, status=Assembly.Status.FAILED
    )
    processing = Recording.objects.filter(
        session_id=session_id, status=Recording.Status.PROCESSING
    ).select_related("organization")
    for recording in processing:
        recording.status = Recording.Status.FAILED
        recording.failure = f"Making the files failed ({reason})."
        recording.save(update_fields=["status", "failure"])
        recording_event(RECORDING_FAILED, recording)
