"""The connection that speaks on a track, as the track sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sessions_app.live_events import StreamWarning


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection that speaks, as its track sees it."""

    name: str
    warn: Callable[[StreamWarning], None]
    told_sequence: Callable[[], int | None]
    """The last segment that the client has for sure; None: not known."""
    replaced: Callable[[], None]
    session_gone: Callable[[], None]


class Switches(NamedTuple):
    """What a speaker's client has switched, and what its next connection goes on with."""

    muted: bool = False
    transcription_paused: bool = False
