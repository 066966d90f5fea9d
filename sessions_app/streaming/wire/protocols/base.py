"""What every wire protocol of the streaming endpoint is translated to and from.

A codec is pure and belongs to one connection: ``decode`` turns what the client sent into typed
messages, ``encode`` turns what the server says into what goes on the wire (nothing, where this
protocol has no word for it). It knows nothing of sockets, sessions or the database.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sessions_app.live_events import (
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpokenEvent,
)
from sessions_app.media import AudioFormat, AudioFrame, Speaker

ControlAction = Literal[
    "mute",
    "unmute",
    "pause_transcription",
    "resume_transcription",
    "pause_recording",
    "resume_recording",
]
ListeningSpeaker = Literal["agent", "customer", "none"]


class ProtocolError(Exception):
    """One frame that makes no sense; the connection lives on.

    ``code`` is one of the contract's, ``param`` the field that is wrong.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


# --- from the client --------------------------------------------------------------------------


@dataclass(slots=True)
class AudioInput:
    """Audio: one frame per speaker it holds (two from a stereo connection)."""

    frames: tuple[AudioFrame, ...]


@dataclass(frozen=True, slots=True)
class AudioStart:
    """What binary frames on this connection hold from now on."""

    format: AudioFormat
    speaker: Speaker | None


@dataclass(frozen=True, slots=True)
class Control:
    action: ControlAction


@dataclass(frozen=True, slots=True)
class Ping:
    """``timestamp_ms`` is the client's own and comes back as it is."""

    timestamp_ms: float | None


@dataclass(frozen=True, slots=True)
class EndSession:
    reason: str | None


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Who connects, where a protocol says that in a message and not in the address.

    ``token`` is empty when none came; ``speaker`` is whose audio is certain to follow.
    """

    token: str = field(repr=False)
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class StreamStop:
    """Nothing more will come on this connection. The session goes on."""


ClientMessage = AudioInput | AudioStart | Control | Ping | EndSession | StreamStart | StreamStop


# --- to the client ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The connection is accepted.

    ``resumed``: the session had audio before. ``sequence``: of the last segment that the client
    is not sent any more. ``muted`` and ``transcription_paused`` are the speaker's.
    """

    mode: str
    source_language: str | None
    target_language: str | None
    speaker: ListeningSpeaker
    resumed: bool
    sequence: int
    recording_paused: bool
    muted: bool = False
    transcription_paused: bool = False


@dataclass(frozen=True, slots=True)
class TranscriptionPaused:
    """What ``speaker`` says is recorded, but not transcribed."""

    speaker: Speaker


@dataclass(frozen=True, slots=True)
class TranscriptionResumed:
    """The opposite of ``TranscriptionPaused``."""

    speaker: Speaker


@dataclass(frozen=True, slots=True)
class Pong:
    timestamp_ms: float | None


@dataclass(frozen=True, slots=True)
class SessionError:
    """The error envelope of the REST API, over the wire."""

    code: str
    message: str
    param: str | None = None
    type: str = "validation_error"


ServerMessage = (
    SpokenEvent
    | SessionReady
    | SessionPaused
    | SessionResumed
    | TranscriptionPaused
    | TranscriptionResumed
    | Pong
    | SessionError
    | SessionEnded
)


class Codec(Protocol):
    """One connection's translator; may keep state between calls."""

    @property
    def tells_transcripts(self) -> bool:
        """Whether its client hears what was said: such a one stays to the end of the transcript."""
        ...

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        """What one WebSocket message says. Audio is stamped with the codec's clock.

        Raises:
            ProtocolError: the message makes no sense. Nothing else is ever raised.
        """
        ...

    def encode(self, message: ServerMessage) -> tuple[str | bytes, ...]:
        """The WebSocket messages that say it, in order."""
        ...


ArrivalClock = Callable[[], float]
"""Seconds, as ``Clock.time``."""

Json = dict[str, Any]
