"""Makes an ended session's recordings from its spool: claim, gather, make, store, verify, commit.

Wherever a worker dies, the spool is still there, the work is due again when its lease runs out, and
files that were stored but not adopted are deleted as scheduled when they were named. The spool is
deleted only after what was stored has been read back and compared.
"""

import datetime
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from recordings_app.channels import TRANSLATIONS, VOICES
from recordings_app.deletions import ADOPTION, deletions_cancel, deletions_schedule
from recordings_app.media import storage
from recordings_app.media.formats import CONTENT_TYPES
from recordings_app.media.mixing import MadeFile, MadeRecording, make
from recordings_app.metrics import FINISHED
from recordings_app.models import Assembly, Recording, RecordingFile, SpoolPart
from recordings_app.payloads import RECORDING_FAILED, RECORDING_READY, recording_event
from recordings_app.queues import ASSEMBLIES
from recordings_app.spool.gathering import Gathered, gather
from recordings_app.spool.parts import parts_remove
from recordings_app.spool.reader import TrackSurvey, survey
from sessions_app.models import Session

log = logging.getLogger(__name__)

GRACE: Final = datetime.timedelta(minutes=2)
"""How long parts of a dead or silent server are waited for."""
_LOOK_AGAIN: Final = datetime.timedelta(seconds=1)

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


def assemblies_run_due() -> int:
    """Make the recordings of sessions for which that is due. Returns how many were tried."""
    return ASSEMBLIES.work_off(_assemble, _give_up)


def session_assemble(*, session_id: str) -> bool:
    """Make the recordings of one session, if that is due. Returns whether they were made.

    Raises no error that another attempt may mend.
    """
    assembly = ASSEMBLIES.claim(session_id)
    if assembly is None or not ASSEMBLIES.work_on(assembly, _assemble, _give_up):
        return False
    return Assembly.objects.filter(pk=session_id, status=Assembly.Status.DONE).exists()


def _assemble(assembly: Assembly) -> None:
    """Raises LeaseLost, and whatever makes the attempt fail."""
    session = Session.objects.select_related("organization").get(pk=assembly.session_id)
    gathered = gather(session, workspace())
    if not gathered.complete and _wait_for_parts(assembly):
        return
    tracks = {speaker: survey(parts) for speaker, parts in gathered.parts.items()}
    made = make(
        tracks,
        dual=session.recording_channels == Session.Channels.DUAL,
        translated=session.records_translations,
        duration=session.duration,
        workspace=workspace(),
    )
    try:
        adopted = _store(session, made)
        _commit(session, assembly, gathered, made, adopted, tracks)
    finally:
        for file in made.files:
            file.content.close()


def _wait_for_parts(assembly: Assembly) -> bool:
    """Give the work back for a moment. False: the missing parts were waited for long enough."""
    now = timezone.now()
    since = assembly.waiting_since or now
    if now - since > GRACE:
        return False
    ASSEMBLIES.give_back(assembly, _LOOK_AGAIN, counted=False, waiting_since=since)
    return True


def _failure(channel: str, tracks: dict[str, TrackSurvey]) -> str:
    """Why a recording is not whole. The voices fail together, a translation alone."""
    voices = [tracks[each] for each in VOICES if each in tracks]
    sources = [tracks[channel]] if channel in TRANSLATIONS and channel in tracks else voices
    if any(track.failed for track in sources):
        return _CUT_SHORT
    return "" if any(track.parts for track in voices) else _NOTHING


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
    """An unsaved row with a new name. Schedules the file's deletion, in case it is never saved."""
    name = storage.object_name(
        recording.organization_id, recording.session_id, recording.id, format
    )
    deletions_schedule(names=[name], after=ADOPTION)
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
    assembly: Assembly,
    gathered: Gathered,
    made: MadeRecording,
    adopted: list[_Adopted],
    tracks: dict[str, TrackSurvey],
) -> None:
    """Files, recordings and events in one transaction; the spool may be deleted after it."""
    ASSEMBLIES.finish(
        assembly,
        status=Assembly.Status.DONE,
        error="",
        waiting_since=None,
        incomplete=not gathered.complete,
        consumed=gathered.names,
    )
    for each in adopted:
        _adopt(each, made, tracks)
    if gathered.complete:
        rows = SpoolPart.objects.filter(pk__in=[row.pk for row in gathered.uploaded])
        deletions_schedule(names=[row.name for row in gathered.uploaded])
        rows.delete()
        transaction.on_commit(lambda: parts_remove(session.id, gathered.local))


def _adopt(each: _Adopted, made: MadeRecording, tracks: dict[str, TrackSurvey]) -> None:
    recording = (
        Recording.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .get(pk=each.recording.pk)
    )
    if recording.status == Recording.Status.DELETED:
        return  # the file is deleted as scheduled
    former = recording.files.all()
    deletions_schedule(names=list(former.values_list("name", flat=True)))
    former.delete()
    deletions_cancel(names=[each.file.name])
    each.file.save(force_insert=True)
    failure = _failure(recording.channel, tracks)
    recording.status = Recording.Status.FAILED if failure else Recording.Status.READY
    recording.failure = failure
    recording.duration = made.duration
    recording.format = each.made.format
    recording.size = each.made.size
    recording.sample_rate = each.made.sample_rate
    recording.audio_channels = each.made.channels
    shown = VOICES if recording.channel == Recording.Channel.MIXED else (recording.channel,)
    recording.peaks = {channel: made.peaks[channel] for channel in shown}
    if recording.channel in TRANSLATIONS and recording.channel in tracks:
        spoken = tracks[recording.channel].spoken
        recording.spoken = {id: (round(a, 3), round(b, 3)) for id, (a, b) in spoken.items()}
    recording.save()
    recording_event(RECORDING_FAILED if failure else RECORDING_READY, recording)
    transaction.on_commit(FINISHED.labels(recording.status).inc, robust=True)


@transaction.atomic
def _give_up(assembly: Assembly, error: Exception | None) -> None:
    """The recordings are failed, also when every worker was killed. The spool is kept."""
    reason = type(error).__name__ if error else "the worker was killed each time"
    ASSEMBLIES.finish(assembly, status=Assembly.Status.FAILED, error=reason)
    processing = Recording.objects.filter(
        session_id=assembly.session_id, status=Recording.Status.PROCESSING
    ).select_related("organization")
    for recording in processing:
        recording.status = Recording.Status.FAILED
        recording.failure = f"Making the files failed ({reason})."
        recording.save(update_fields=["status", "failure"])
        recording_event(RECORDING_FAILED, recording)
        transaction.on_commit(FINISHED.labels(recording.status).inc, robust=True)
