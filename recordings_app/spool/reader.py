"""A track's parts, read back as one continuous stream of samples at one rate.

Memory stays constant however long the call was: records are read, decoded, resampled and handed on
in blocks. Positions are absolute, so nothing drifts: every run of unbroken audio is placed where it
began, whatever was rounded before it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np
import soxr

from recordings_app.spool.format import NotASpool, Record, read_header, read_records
from sessions_app.media import Samples, decode

PartOpener = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens one part for reading, from its beginning."""

BRIDGE: Final = 1.0
"""Seconds: shorter gaps are filled with silence, so that one resampler can go on."""

_BATCH: Final = 1.0
"""Seconds of audio that are resampled at a time."""


@dataclass(slots=True)
class TrackSurvey:
    """What a first pass over a track's parts found. ``end``: seconds since the session's zero.

    ``spoken``: of made speech, from when to when each segment was heard, in seconds by its id.
    """

    end: float = 0.0
    sample_rate: int = 0
    records: int = 0
    failed: bool = False
    unreadable: int = 0
    spoken: dict[str, tuple[float, float]] = field(default_factory=dict)
    parts: list[PartOpener] = field(default_factory=list)


def survey(parts: Iterable[PartOpener]) -> TrackSurvey:
    """Read every part once: how long the track is, and its highest sample rate.

    A part without a whole header holds nothing and is left out. Raises MediaKeyError.
    """
    found = TrackSurvey()
    for opener in parts:
        with opener() as file:
            try:
                found.failed |= read_header(file).failed
            except NotASpool:
                found.unreadable += 1
                continue
            file.seek(0)
            for record in read_records(file):
                found.records += 1
                found.end = max(found.end, record.end_seconds)
                found.sample_rate = max(found.sample_rate, record.format.sample_rate)
                if (segment := record.segment_id) is not None:
                    began, _ = found.spoken.get(segment, (record.start_seconds, 0.0))
                    found.spoken[segment] = began, record.end_seconds
        found.parts.append(opener)
    return found


def blocks(parts: Iterable[PartOpener], *, rate: int, total: int, size: int) -> Iterator[Samples]:
    """``total`` samples at ``rate`` Hz in arrays of ``size`` (the last one shorter), int16.

    What no record covers is silence. Where records overlap, the one written first stays.
    """
    block, filled, position = np.zeros(min(size, total), np.int16), 0, 0
    for start, samples in _placed(_records(parts), rate):
        skip = max(position - start, 0)
        samples = samples[skip : max(total - start, 0)]
        start += skip
        if not len(samples):
            continue
        while position < start or len(samples):
            step = min(len(block) - filled, (start - position) or len(samples))
            if position == start:
                block[filled : filled + step] = samples[:step]
                samples = samples[step:]
                start += step
            filled, position = filled + step, position + step
            if filled == len(block):
                yield block
                block, filled = np.zeros(min(size, total - position), np.int16), 0
            if position >= total:
                return
    while position < total:
        yield block
        position += len(block) - filled
        block, filled = np.zeros(min(size, total - position), np.int16), 0


def _records(parts: Iterable[PartOpener]) -> Iterator[Record]:
    for opener in parts:
        with opener() as file:
            yield from read_records(file)


def _placed(records: Iterable[Record], rate: int) -> Iterator[tuple[int, Samples]]:
    """Samples at ``rate`` Hz with the sample they begin at, in the order of the records."""
    run: _Run | None = None
    for record in records:
        if run is not None and not run.takes(record):
            yield from run.finish()
            run = None
        if run is None:
            run = _Run(record, rate)
        yield from run.add(record)
    if run is not None:
        yield from run.finish()


class _Run:
    """Audio of one rate without a long gap, for one resampler."""

    def __init__(self, first: Record, rate: int) -> None:
        self._from = first.format.sample_rate
        self._next = first.position
        self._place = round(first.position * rate / self._from)
        self._resampler = (
            None
            if self._from == rate
            else soxr.ResampleStream(self._from, rate, 1, dtype="int16", quality="HQ")
        )
        self._pending: list[Samples] = []
        self._waiting = 0

    def takes(self, record: Record) -> bool:
        gap = record.position - self._next
        return record.format.sample_rate == self._from and gap <= BRIDGE * self._from

    def add(self, record: Record) -> Iterator[tuple[int, Samples]]:
        samples = decode(
            record.payload[: record.samples * record.format.bytes_per_sample],
            record.format.encoding,
        )
        gap = record.position - self._next
        if gap > 0:
            self._collect(np.zeros(gap, np.int16))
        elif gap < 0:
            samples = samples[-gap:]
        self._collect(samples)
        if self._waiting >= _BATCH * self._from:
            yield from self._emit(last=False)

    def finish(self) -> Iterator[tuple[int, Samples]]:
        yield from self._emit(last=True)

    def _collect(self, samples: Samples) -> None:
        self._pending.append(samples)
        self._waiting += len(samples)
        self._next += len(samples)

    def _emit(self, *, last: bool) -> Iterator[tuple[int, Samples]]:
        samples = np.concatenate(self._pending) if self._pending else np.empty(0, np.int16)
        self._pending, self._waiting = [], 0
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        if len(samples):
            yield self._place, samples
            self._place += len(samples)
