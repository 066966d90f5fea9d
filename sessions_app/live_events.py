"""What happens in a live call, before any wire format.

Times (``at``, ``start_time``, ``end_time``) are seconds on the session's timeline. Its zero is
the arrival of the session's first audio.
"""

from dataclasses import dataclass

from sessions_app.media import AudioFormat, Speaker


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    speaker: Speaker
    at: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    speaker: Speaker
    at: float


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """Replaced by later ones with the same ``id``; an empty ``text`` withdraws it."""

    id: str
    speaker: Speaker
    language: str | None
    text: str
    start_time: float


@dataclass(frozen=True, slots=True)
class FinalTranscript:
    """A finished utterance, exactly as its segment is stored.

    ``sequence`` counts the session's segments from 1 in the order in which they were committed;
    None before that.
    """

    id: str
    speaker: Speaker
    language: str
    text: str
    start_time: float
    end_time: float
    confidence: float
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class TranslationFinal:
    """A segment in the other party's language, exactly as it is stored.

    ``sequence`` counts the session's translations from 1 in the order in which they were committed;
    None before that.
    """

    segment_id: str
    speaker: Speaker
    language: str
    text: str
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class StreamWarning:
    """A problem that the call survives: ``sequence_gap``, ``audio_dropped``,
    ``transcription_delayed``, ``timestamp_reset``…"""

    code: str
    message: str
    speaker: Speaker | None = None


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """Speech for the other party. ``speaker`` said it; ``last`` ends the segment's speech."""

    segment_id: str
    speaker: Speaker
    sequence: int
    format: AudioFormat
    payload: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class SessionPaused:
    """Nothing is recorded, transcribed or listened in to, on any track, on any server."""


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """The opposite of ``SessionPaused``."""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """``duration`` in seconds."""

    reason: str
    duration: float


PipelineEvent = SpeechStarted | SpeechStopped | PartialTranscript | FinalTranscript | StreamWarning
"""What one speaker's pipeline reports."""

SpokenEvent = PipelineEvent | TranslationFinal | AudioOutput
"""What the followers of a session are told of what is said."""
