"""Audio taps: how another app receives every placed frame of a session.

An app registers a factory once, in its AppConfig.ready. The gateway asks each factory for a tap
when a track is claimed; a factory that is not interested answers None.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from sessions_app.live_events import StreamWarning
from sessions_app.media import PlacedFrame, Speaker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrackContext:
    """What a tap may know of the track it listens to."""

    session_id: str
    track_id: str
    speaker: Speaker
    generation: int
    recording_enabled: bool
    warn: Callable[[StreamWarning], None]


class AudioTap(Protocol):
    def write(self, frame: PlacedFrame) -> None:
        """Take one frame. Called on the event loop: append and return, never wait."""

    def close(self) -> None:
        """The track is sealed or taken over: make what was written durable."""


TapFactory = Callable[[TrackContext], AudioTap | None]
_factories: list[TapFactory] = []


def register_tap(factory: TapFactory) -> None:
    if factory not in _factories:
        _factories.append(factory)


def taps_for(context: TrackContext) -> list[AudioTap]:
    return [tap for factory in _factories if (tap := factory(context)) is not None]


def taps_close(taps: Iterable[AudioTap]) -> None:
    """Close each, whatever becomes of the others."""
    for tap in taps:
        try:
            tap.close()
        except Exception:
            log.exception("an audio tap could not be closed")
