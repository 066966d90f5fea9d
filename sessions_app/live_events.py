"""What happens in a live call, before any wire format.

Times (``at``, ``start_time``, ``end_time``) are seconds on the session's timeline. Its zero is
the arrival of the session's first audio.
"""

from dataclasses import dataclass
from typing import Literal

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
    """Replaced by later ones with the same ``id``; an empty ``text`` withdraws it.

    ``end_time`` is where the audio ends that the recognizer had.
    """

    id: str
    speaker: Speaker
    language: str | None
    text: str
    start_time: float
    end_time: float = 0.0


@dataclass(frozen=True, slots=True)
class FinalTranscript:
    """A finished utterance, exactly as its segment is stored.

    ``sequence`` counts the session's segments from 1 in the order in which they were committed;
    None before that. ``english``, where asked for, is the recognizer's own translation; it is not
    stored.
    """

    id: str
    speaker: Speaker
    language: str
    text: str
    start_time: float
    end_time: float
    confidence: float
    sequence: int | None = None
    english: str | None = None


@dataclass(frozen=True, slots=True)
class TranslationPartial:
    """Subtitles of an utterance that is still being spoken. Replaced by later ones with the same
    ``segment_id``; an empty ``text`` withdraws them."""

    segment_id: str
    speaker: Speaker
    language: str
    text: str


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
class TranslationFailed:
    """No translator could translate the segment. Its words stand in the transcript."""

    segment_id: str
    speaker: Speaker
    code: str


@dataclass(frozen=True, slots=True)
class WordsToSpeak:
    """Words of ``speaker`` to be spoken to the other party, by the server it is connected to.

    ``number`` counts the clauses of a segment from 0, and ``last`` ends it; ``text`` is empty when
    nothing is left to be said. ``end_time`` is where the original ended.
    """

    segment_id: str
    speaker: Speaker
    language: str
    text: str
    number: int
    last: bool
    end_time: float


@dataclass(frozen=True, slots=True, eq=False)
class WordsToPassOn:
    """An utterance of ``speaker`` that the other party understands: to be heard as it was said.

    ``payload`` is mu-law at ``sample_rate`` Hz.
    """

    segment_id: str
    speaker: Speaker
    sample_rate: int
    payload: bytes
    end_time: float


@dataclass(frozen=True, slots=True)
class StreamWarning:
    """A problem that the call survives: ``sequence_gap``, ``audio_dropped``,
    ``transcription_delayed``, ``timestamp_reset``…"""

    code: str
    message: str
    speaker: Speaker | None = None


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """Speech for the other party. ``speaker`` said it; ``last`` ends the segment's speech.

    ``original``: it is the speaker's own voice, and may belong to no segment yet.
    """

    segment_id: str | None
    speaker: Speaker
    sequence: int
    format: AudioFormat
    payload: bytes
    last: bool
    original: bool = False


@dataclass(frozen=True, slots=True)
class AudioClear:
    """Speech that was sent and has not been played is unwanted. ``segment_id`` None: all of it."""

    segment_id: str | None
    reason: Literal["barge_in", "ended"]


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

TranslationEvent = TranslationPartial | TranslationFinal | TranslationFailed
"""What is told of what was said, in another language."""

SpeechWanted = WordsToSpeak | WordsToPassOn
"""What the server of the other party is told to speak."""

ClientEvent = PipelineEvent | TranslationEvent
"""What clients are told of what is said."""

SpokenEvent = ClientEvent | SpeechWanted
"""What the followers of a session are told of what is said."""
