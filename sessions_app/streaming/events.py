"""What a live call says: the pipeline's output, before any wire format.

Times (``at``, ``start_time``, ``end_time``) are seconds on the session's timeline, whose zero is
the arrival of its first audio.
"""

from dataclasses import dataclass
from typing import Literal

Speaker = Literal["agent", "customer"]


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
    """A finished utterance, exactly as its segment is stored."""

    id: str
    speaker: Speaker
    language: str
    text: str
    start_time: float
    end_time: float
    confidence: float


@dataclass(frozen=True, slots=True)
class TranslationFinal:
    """A segment in another language."""

    segment_id: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class StreamWarning:
    """Something survivable: ``sequence_gap``, ``audio_dropped``, ``transcription_delayed``,
    ``timestamp_reset``…"""

    code: str
    message: str
    speaker: Speaker | None = None


PipelineEvent = SpeechStarted | SpeechStopped | PartialTranscript | FinalTranscript | StreamWarning
