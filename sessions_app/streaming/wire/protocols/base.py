"""The typed messages that every wire protocol of a call is translated to and from.

A codec is pure and belongs to one connection. ``decode`` turns a WebSocket message into typed
messages; ``encode`` turns a typed message into WebSocket messages, or none if the protocol has no
such message. A codec knows nothing of sockets, sessions or the database.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sessions_app.live_events import (
    AudioClear,
    AudioOutput,
    ClientEvent,
    SessionEnded,
    SessionPaused,
    SessionResumed,
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
    """One malformed message. The connection stays open.

    ``code`` is an error code of the API, ``param`` the wrong field.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


# --- from the client --------------------------------------------------------------------------


@dataclass(slots=True)
class AudioInput:
    """Audio: one frame per speaker (two from a stereo connection)."""

    frames: tuple[AudioFrame, ...]


@dataclass(frozen=True, slots=True)
class AudioStart:
    """The format and speaker of all later binary messages on this connection."""

    format: AudioFormat
    speaker: Speaker | None


@dataclass(frozen=True, slots=True)
class Control:
    action: ControlAction


@dataclass(frozen=True, slots=True)
class Ping:
    """``timestamp_ms`` is the client's own and is returned unchanged in the pong."""

    timestamp_ms: float | None


@dataclass(frozen=True, slots=True)
class AudioPlayed:
    """The client has played what it was sent up to this ``AudioOutput``."""

    segment_id: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class EndSession:
    reason: str | None


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Stream token and speaker, in protocols that send them in a message and not in the address.

    ``token`` is empty if the message had none. Audio of ``speaker`` is certain to follow.
    """

    token: str = field(repr=False)
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class StreamStop:
    """The client sends nothing more on this connection. The session goes on."""


ClientMessage = (
    AudioInput | AudioStart | AudioPlayed | Control | Ping | EndSession | StreamStart | StreamStop
)


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
    """The REST API's error object, as a message."""

    code: str
    message: str
    param: str | None = None
    type: str = "validation_error"


ServerMessage = (
    ClientEvent
    | AudioOutput
    | AudioClear
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
    """Decodes and encodes one connection's messages. May keep state between calls."""

    @property
    def tells_transcripts(self) -> bool:
        """Whether the client is sent transcripts. Its connection stays open until the last one."""
        ...

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        """The typed messages in one WebSocket message. Audio gets its arrival time here.

        Raises:
            ProtocolError: the message is malformed. Nothing else is raised.
        """
        ...

    def encode(self, message: ServerMessage) -> tuple[str | bytes, ...]:
        """The WebSocket messages to send, in order; none if the protocol has no such message."""
        ...


ArrivalClock = Callable[[], float]
"""Seconds, as ``Clock.time``."""

Json = dict[str, Any]
