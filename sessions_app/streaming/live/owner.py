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
    told: "Callable[[], Told]"
    replaced: Callable[[], None]
    session_gone: Callable[[], None]


class Told(NamedTuple):
    """The last segment, and the last translation, that a client has certainly received; None: not
    known."""

    sequence: int | None = None
    translation: int | None = None

    def or_before(self, before: "Told") -> "Told":
        """What is known, else what was known ``before``."""
        return Told(
            before.sequence if self.sequence is None else self.sequence,
            before.translation if self.translation is None else self.translation,
        )


class Switches(NamedTuple):
    """What a speaker's client has switched; its next connection continues with these."""

    muted: bool = False
    transcription_paused: bool = False
