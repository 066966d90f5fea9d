"""What a track needs of the connection that speaks on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sessions_app.live_events import StreamWarning


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection that speaks on a track."""

    name: str
    warn: Callable[[StreamWarning], None]
    told_sequence: Callable[[], int | None]
    """The last segment that the client has certainly received; None: not known."""
    replaced: Callable[[], None]
    session_gone: Callable[[], None]


class Switches(NamedTuple):
    """What a speaker's client has switched; its next connection continues with these."""

    muted: bool = False
    transcription_paused: bool = False
