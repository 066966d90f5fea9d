"""Every write of recordings, apart from the making of files (``assembly``, ``variants``)."""

import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from kallglot_site.accounts.models import Organization
from recordings_app.channels import TRANSLATIONS, VOICES
from recordings_app.deletions import FILES, deletions_schedule
from recordings_app.errors import RecordingExpired, RecordingFailed, RecordingProcessing
from recordings_app.media.formats import Format
from recordings_app.models import (
    Assembly,
    Deletion,
    Recording,
    RecordingFile,
    RecordingPolicy,
    SpoolPart,
)
from recordings_app.queues import ASSEMBLIES, VARIANTS
from recordings_app.selectors import recording_original, retention
from sessions_app.models import Session

_RETRY_FAILED_VARIANT = datetime.timedelta(minutes=10)


@transaction.atomic
def session_recordings_create(*, session: Session) -> bool:
    """Create the rows of an ended session's recordings, and the work of making them, once.

    A session without any audio gets none. Returns whether there is anything to make.
    """
    if not session.recording_enabled or session.started_at is None:
        return False
    made = Assembly.objects.bulk_create([Assembly(session=session)], ignore_conflicts=True)
    expires_at = (session.ended_at or timezone.now()) + retention(session.organization)
    formats: dict[str, Format] = {Recording.Channel.MIXED: "mp3"}
    if session.recording_channels == Session.Channels.DUAL:
        channels = (*VOICES, *(TRANSLATIONS if session.records_translations else ()))
        formats |= dict.fromkeys(channels, "wav")
    Recording.objects.bulk_create(
        [
            Recording(
                session=session,
                organization_id=session.organization_id,
                environment=session.environment,
                channel=channel,
                format=format,
                expires_at=expires_at,
            )
            for channel, format in formats.items()
        ],
        ignore_conflicts=True,
    )
    return bool(made)


def assembly_make_due(*, session_id: str) -> bool:
    """Have a session's recordings made: nobody may write its tracks any more.

    Returns False where no recordings wait for that.
    """
    due = Assembly.objects.filter(session_id=session_id, status=Assembly.Status.WAITING).update(
        status=Assembly.Status.DUE, due_at=timezone.now()
    )
    if due:
        ASSEMBLIES.ring()
    return bool(due)


def assembly_make_again(*, session_id: str) -> bool:
    """Make recordings again that lack some parts of the spool, now that those have come back."""
    return bool(
        Assembly.objects.filter(
            session_id=session_id, status=Assembly.Status.DONE, incomplete=True
        ).update(status=Assembly.Status.DUE, due_at=timezone.now(), lease="", attempts=0)
    )


@transaction.atomic
def assembly_retry(*, session_id: str) -> bool:
    """Try again to make recordings that failed. Their spool is still there."""
    again = Assembly.objects.filter(session_id=session_id, status=Assembly.Status.FAILED).update(
        status=Assembly.Status.DUE, due_at=timezone.now(), attempts=0, lease="", error=""
    )
    if again:
        Recording.objects.filter(session_id=session_id, status=Recording.Status.FAILED).update(
            status=Recording.Status.PROCESSING, failure=""
        )
    return bool(again)


# --- Serving audio -------------------------------------------------------------------------------


def recording_file_require(
    *, recording: Recording, format: str | None = None, sample_rate: int | None = None
) -> RecordingFile:
    """The file to serve: the original, or a variant, which is made if it does not exist yet.

    Raises RecordingProcessing, RecordingFailed, RecordingExpired.
    """
    if recording.is_past_retention:
        raise RecordingExpired
    if recording.status == Recording.Status.FAILED:
        raise RecordingFailed
    original = recording_original(recording)
    if recording.status == Recording.Status.PROCESSING or original is None:
        raise RecordingProcessing
    wanted = (format or recording.format, sample_rate or recording.sample_rate)
    if wanted == (original.format, original.sample_rate):
        return original
    variant = _variant(recording, *wanted)
    if variant.status == RecordingFile.Status.READY:
        return variant
    if variant.status == RecordingFile.Status.FAILED:
        raise RecordingFailed
    raise RecordingProcessing


@transaction.atomic
def _variant(recording: Recording, format: str, sample_rate: int) -> RecordingFile:
    """The variant's row. One that failed ten minutes ago or earlier is tried again."""
    variant, created = RecordingFile.objects.get_or_create(
        recording=recording, format=format, sample_rate=sample_rate
    )
    failed = variant.status == RecordingFile.Status.FAILED
    if failed and variant.due_at < timezone.now() - _RETRY_FAILED_VARIANT:
        variant.status, variant.attempts = RecordingFile.Status.PROCESSING, 0
        variant.due_at, variant.lease = timezone.now(), ""
        variant.save(update_fields=["status", "attempts", "due_at", "lease"])
        created = True
    if created:
        VARIANTS.ring()
    return variant


# --- Deleting ------------------------------------------------------------------------------------


@transaction.atomic
def recording_delete(*, recording: Recording) -> None:
    """Delete a recording's audio. Its files are deleted after the commit, by workers."""
    Recording.objects.select_for_update(no_key=True).get(pk=recording.pk)
    # A worker that makes a file either has committed it by now, or finds the recording deleted.
    deletions_schedule(names=list(recording.files.values_list("name", flat=True)))
    recording.files.all().delete()
    recording.status = Recording.Status.DELETED
    recording.deleted_at = timezone.now()
    recording.peaks, recording.spoken = {}, {}
    recording.save(update_fields=["status", "deleted_at", "peaks", "spoken"])
    others = Recording.objects.filter(session_id=recording.session_id)
    if not others.exclude(status=Recording.Status.DELETED).exists():
        _spool_forget(recording.session_id)
    FILES.ring()


@transaction.atomic
def session_recordings_erase(*, session: Session) -> None:
    """Delete all audio of a session that is being erased."""
    # Locked in the order in which workers lock them, and before the files are looked up: a worker
    # either has committed its file by then, or finds no row to commit it to.
    Assembly.objects.filter(session=session).delete()
    recordings = Recording.objects.filter(session=session)
    locked = list(recordings.order_by("id").select_for_update().values_list("id", flat=True))
    names = RecordingFile.objects.filter(recording__in=locked).values_list("name", flat=True)
    deletions_schedule(names=list(names))
    _spool_forget(session.id)
    recordings.delete()
    FILES.ring()


def _spool_forget(session_id: str) -> None:
    uploaded = SpoolPart.objects.filter(session_id=session_id)
    deletions_schedule(names=list(uploaded.values_list("name", flat=True)))
    uploaded.delete()
    deletions_schedule(names=[session_id], kind=Deletion.Kind.SPOOL)


# --- Policy --------------------------------------------------------------------------------------


@transaction.atomic
def recording_policy_set(*, organization: Organization, retention_days: int) -> RecordingPolicy:
    """Set how long the organization keeps recordings, also those that exist already."""
    policy, _ = RecordingPolicy.objects.update_or_create(
        organization=organization, defaults={"retention_days": retention_days}
    )
    Recording.objects.filter(organization=organization).exclude(
        status=Recording.Status.DELETED
    ).update(expires_at=F("created_at") + datetime.timedelta(days=retention_days))
    return policy
