"""The same recording in another format or sample rate: made when first asked for, then kept."""

import datetime
import logging
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, Final, cast

import av
import numpy as np
import soxr
from av.container import InputContainer
from django.db import transaction
from django.utils import timezone

from recordings_app import leases
from recordings_app.assembly import stored_file, workspace
from recordings_app.media import storage
from recordings_app.media.encoding import CONTENT_TYPES, AudioWriter, Format
from recordings_app.media.mixing import measure, workspace_file
from recordings_app.models import Recording, RecordingFile
from recordings_app.selectors import recording_original
from recordings_app.tombstones import tombstones_lift
from sessions_app.media import Samples

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 3
_BACKOFF: Final = datetime.timedelta(seconds=10)
_BLOCK_SECONDS: Final = 10


def variant_make(*, file_id: str) -> bool:
    """Make a variant, if that is due and nobody else is at it. Returns whether it was made."""
    row = RecordingFile.objects.filter(pk=file_id, status=RecordingFile.Status.PROCESSING)
    token = leases.take(row)
    if token is None:
        return False
    try:
        with leases.kept(RecordingFile, file_id, token):
            _make(file_id, token)
    except leases.LeaseLost:
        log.warning("variant %s is no longer this worker's", file_id)
        return False
    except Exception:
        log.exception("making variant %s failed", file_id)
        _failed_attempt(file_id, token)
        return False
    return True


def _make(file_id: str, token: str) -> None:
    variant = RecordingFile.objects.select_related("recording").filter(pk=file_id).first()
    original = recording_original(variant.recording) if variant else None
    if variant is None or original is None:
        raise leases.LeaseLost  # deleted meanwhile
    recording = variant.recording
    format = cast(Format, variant.format)
    with workspace_file(workspace()) as source, workspace_file(workspace()) as target:
        with closing(storage.read(original)) as chunks:
            source.writelines(chunks)
        source.seek(0)
        convert(
            source,
            target,
            format=format,
            sample_rate=variant.sample_rate,
            channels=recording.audio_channels,
        )
        size, sha256 = measure(target)
        target.seek(0)
        made = stored_file(recording, variant.format, variant.sample_rate)
        made.encrypted = storage.store(made.name, target, content_type=CONTENT_TYPES[format])
    made.size, made.sha256 = size, sha256
    storage.verify(made, sha256)
    _commit(variant, token, made)


@transaction.atomic
def _commit(variant: RecordingFile, token: str, made: RecordingFile) -> None:
    recording = Recording.objects.select_for_update(no_key=True).get(pk=variant.recording_id)
    if recording.status != Recording.Status.READY:
        raise leases.LeaseLost
    done = RecordingFile.objects.filter(pk=variant.pk, lease=token).update(
        status=RecordingFile.Status.READY,
        name=made.name,
        size=made.size,
        sha256=made.sha256,
        encrypted=made.encrypted,
        lease="",
    )
    if not done:
        raise leases.LeaseLost
    tombstones_lift(names=[made.name])


def _failed_attempt(file_id: str, token: str) -> None:
    row = RecordingFile.objects.filter(pk=file_id, lease=token).first()
    if row is None:
        return
    given_up = row.attempts >= MAX_ATTEMPTS
    status = RecordingFile.Status.FAILED if given_up else RecordingFile.Status.PROCESSING
    RecordingFile.objects.filter(pk=file_id, lease=token).update(
        status=status, lease="", due_at=timezone.now() + _BACKOFF * row.attempts
    )


def convert(
    source: BinaryIO, target: BinaryIO, *, format: Format, sample_rate: int, channels: int
) -> None:
    """Re-encode a whole file in constant memory, sample for sample in step with the source."""
    with (
        av.open(source) as container,
        AudioWriter(target, format, sample_rate, channels) as writer,
    ):
        rate = container.streams.audio[0].rate
        resampler = (
            None
            if rate == sample_rate
            else soxr.ResampleStream(rate, sample_rate, channels, dtype="int16", quality="HQ")
        )
        for block in _decoded(cast(InputContainer, container), rate * _BLOCK_SECONDS):
            samples = block.reshape(-1, channels)
            writer.write((resampler.resample_chunk(samples) if resampler else samples).ravel())
        if resampler:
            rest = np.empty((0, channels), np.int16)
            writer.write(resampler.resample_chunk(rest, last=True).ravel())


def _decoded(container: InputContainer, size: int) -> Iterator[Samples]:
    """Interleaved int16 in blocks of about ``size`` samples."""
    packer = av.AudioResampler(format="s16")
    pending: list[Samples] = []
    waiting = 0
    for frame in container.decode(audio=0):
        for packed in packer.resample(frame):
            pending.append(cast(Samples, packed.to_ndarray()[0]))
            waiting += packed.samples
        if waiting >= size:
            yield np.concatenate(pending)
            pending, waiting = [], 0
    if pending:
        yield np.concatenate(pending)
