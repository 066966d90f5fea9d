"""The strip that shows when each party spoke: segments as rectangles in an SVG, 1000 units wide."""

from collections.abc import Iterable
from dataclasses import dataclass

from sessions_app.models import Segment

WIDTH = 1000.0
LEAST = 2.0
TICK_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One segment. ``x`` and ``width`` are in units of the strip."""

    segment_id: str
    speaker: str
    start: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    seconds: int


def strip_bars(segments: Iterable[Segment], duration: float) -> list[Bar]:
    """One bar per segment, at least ``LEAST`` wide so that it is visible."""
    if duration <= 0:
        return []
    scale = WIDTH / duration
    return [
        Bar(
            segment.id,
            segment.speaker,
            segment.start_time,
            round(min(segment.start_time * scale, WIDTH - LEAST), 2),
            round(max((segment.end_time - segment.start_time) * scale, LEAST), 2),
        )
        for segment in segments
    ]


def strip_ticks(duration: float) -> list[Tick]:
    """At most eight round times."""
    if duration <= 0:
        return []
    step = next((step for step in TICK_STEPS if duration / step <= MOST_TICKS), 7200)
    return [
        Tick(round(seconds / duration * 100, 2), seconds)
        for seconds in range(0, int(duration) + 1, step)
        if seconds / duration < 0.91
    ]
