"""Audio taps: other apps receive every placed frame of a session through them.

An app registers a factory once, in its AppConfig.ready. When a track is claimed, the gateway calls
each factory for a tap; a factory that does not want the track's audio returns None. In the modes
that translate it asks for a second tap, for the speech that the party hears.
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
    """What a tap is told about its track."""

    session_id: str
    track_id: str
    speaker: Speaker
    generation: int
    recording_enabled: bool
    warn: Callable[[StreamWarning], None]
    made_speech: bool = False
    """The tap is not for the party's own voice, but for what is spoken to it."""


class AudioTap(Protocol):
    def write(self, frame: PlacedFrame) -> None:
        """Take one frame. Called on the event loop: must not wait."""

    def close(self) -> None:
        """The track is sealed or another connection has taken it over: make the audio durable."""


TapFactory = Callable[[TrackContext], AudioTap | None]
_factories: list[TapFactory] = []


def register_tap(factory: TapFactory) -> None:
    if factory not in _factories:
        _factories.append(factory)


def taps_for(context: TrackContext) -> list[AudioTap]:
    return [tap for factory in _factories if (tap := factory(context)) is not None]


def taps_close(taps: Iterable[AudioTap]) -> None:
    """Close all. One that fails is logged and does not stop the others."""
    for tap in taps:
        try:
            tap.close()
        except Exception:
            log.exception("an audio tap could not be closed")
