"""The engine contract: one abstract method each; timeouts, retry and metrics live in the base.

Engines are chosen by URL (see ``registry``), know nothing of Django and never read the
environment themselves.
"""

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


class EngineError(Exception):
    """An engine could not do its work. ``retryable`` says whether trying again can help."""

    retryable = False


class EngineUnavailable(EngineError):
    """Not reachable, not loaded, crashed."""

    retryable = True


class EngineTimeout(EngineUnavailable):
    """No answer within the deadline."""


class EngineOverloaded(EngineUnavailable):
    """Its bounded queue is full, or it answered 429."""


class EngineRejected(EngineError):
    """The request itself is refused: retrying the same cannot help."""


class EngineMisconfigured(EngineError):
    """A wrong URL, a missing model, package or credential: for whoever sets it up."""


class Priority(enum.IntEnum):
    """Lower runs first. Partials give way; finals never do."""

    FINAL = 0
    SPECULATIVE = 1
    PARTIAL = 2


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """One utterance. ``audio`` is mono int16 at ``sample_rate`` Hz."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    language: str | None = None  # ISO 639-1; None: detect
    vocabulary: tuple[str, ...] = ()
    context: str = ""  # what this speaker said just before
    priority: Priority = Priority.FINAL

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.audio) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Transcription:
    """``text`` is empty when there was no speech. Probabilities and confidence are 0…1."""

    text: str
    language: str
    language_probability: float
    confidence: float


class Transcriber(ABC):
    """Speech to text, one utterance at a time."""

    name: str
    languages: frozenset[str]

    @abstractmethod
    async def _transcribe(self, request: TranscriptionRequest) -> Transcription: ...
