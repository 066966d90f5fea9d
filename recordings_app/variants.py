"""Makes a recording in another format or sample rate: when first asked for, then kept."""

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, Final, cast

import av
import numpy as np
import soxr
from av.container import InputContainer
from django.db import transaction

from recordings_app.assembly import stored_file, workspace
from recordings_app.deletions import deletions_cancel
from recordings_app.media import storage
from recordings_app.media.checksums import measure
from recordings_app.media.encoding import AudioWriter
from recordings_app.media.formats import CONTENT_TYPES, Format
from recordings_app.media.mixing import workspace_file
from recordings_app.models import Recording, RecordingFile
from recordings_app.queues import VARIANTS
from recordings_app.selectors import recording_original
from sessions_app.media import Samples

_BLOCK_SECONDS: Final = 10


def variants_run_due() -> int:
    """Make the variants that are due. Returns how many were tried."""
    return VARIANTS.work_off(_make, _give_up)


def variant_make(*, file_id: str) -> bool:
    """Make one variant, if that is due. Returns whether it was made."""
    variant = VARIANTS.claim(file_id)
    return variant is not None and VARIANTS.work_on(variant, _make, _give_up)


class OriginalMissing(Exception):
    """The recording has no file to make the variant from."""


def _make(variant: RecordingFile) -> None:
    """Raises LeaseLost, and whatever makes the attempt fail."""
    recording = variant.recording
    original = recording_original(recording)
    if original is None:
        raise OriginalMissing
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
    _commit(variant, made)


@transaction.atomic
def _commit(variant: RecordingFile, made: RecordingFile) -> None:
    recording = Recording.objects.select_for_update(no_key=True).get(pk=variant.recording_id)
    if recording.status != Recording.Status.READY:
        raise OriginalMissing
    VARIANTS.finish(
        variant,
        status=RecordingFile.Status.READY,
        name=made.name,
        size=made.size,
        sha256=made.sha256,
        encrypted=made.encrypted,
    )
    deletions_cancel(names=[made.name])


def _give_up(variant: RecordingFile, error: Exception | None) -> None:
    VARIANTS.finish(variant, status=RecordingFile.Status.FAILED)


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
