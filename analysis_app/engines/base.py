"""The analyzer contract: a finished call in, results by analysis type out.

Engines know no ORM and never read the environment. The transcript is data: no engine may follow
instructions in it, and every statement about a moment names the segment that supports it.
"""

import datetime
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ANALYSIS_TYPES: tuple[str, ...] = (
    "sentiment",
    "topics",
    "summary",
    "action_items",
    "quality",
    "compliance",
)

Results = dict[str, Any]


class AnalyzerError(Exception):
    """The analysis cannot be made. ``retryable`` says whether trying again can help."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Turn:
    """One transcript segment. Times are seconds from the start of the call.

    ``translation_language`` None: not known, the other party's language.
    """

    id: str
    speaker: str  # "agent" or "customer"
    language: str
    text: str
    translation: str | None
    start: float
    end: float
    translation_language: str | None = None


@dataclass(frozen=True, slots=True)
class ComplianceCheck:
    """One rule an organization sets.

    With ``kind`` "required" any of ``phrases`` must be said; with "forbidden" none may be.
    ``speaker`` limits it to one party, ``within`` to the first or last so many seconds.
    """

    name: str
    phrases: tuple[str, ...]
    kind: Literal["required", "forbidden"] = "required"
    speaker: Literal["agent", "customer"] | None = "agent"
    position: Literal["anywhere", "first", "last"] = "anywhere"
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call. ``turns`` are ordered by start time; ``date`` is the day it began."""

    turns: Sequence[Turn]
    duration: float
    date: datetime.date
    source_language: str | None = None
    target_language: str | None = None

    def english(self, turn: Turn) -> str | None:
        """The turn in English: as spoken, or its translation if that is English."""
        return self.text_in(turn, "en")

    def text_in(self, turn: Turn, language: str) -> str | None:
        """The turn in ``language``, as spoken or translated; None if there is neither."""
        if base_language(turn.language) == language:
            return turn.text
        if turn.translation and self.translated_to(turn) == language:
            return turn.translation
        return None

    def translated_to(self, turn: Turn) -> str | None:
        """A turn is translated into the other party's language, as it was at that time."""
        if turn.translation_language:
            return base_language(turn.translation_language)
        source = base_language(self.source_language or "")
        target = base_language(self.target_language or "")
        spoken = base_language(turn.language)
        if spoken == source:
            return target or None
        if spoken == target:
            return source or None
        return None


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """Which results to produce. ``language`` is the language they are written in (ISO 639-1).

    An engine calls ``still_wanted`` before each step that may take minutes. The call renews the
    run's lease. It raises when the run was lost or erased; engines must not catch that exception.
    """

    analyses: Sequence[str]
    language: str = "en"
    checks: Sequence[ComplianceCheck] = ()
    custom_prompts: Mapping[str, str] = field(default_factory=dict)
    still_wanted: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AnalysisOutcome:
    """``results`` holds exactly the requested types; ``engine`` names the engine that made them."""

    results: Results
    engine: str


class Analyzer(ABC):
    """Produces results from a call. Runs in a worker, outside any transaction."""

    name: str
    understands_prompts = False

    def analyze(self, call: Call, request: AnalysisRequest) -> AnalysisOutcome:
        """Raises AnalyzerError. The outcome has every requested type and no other."""
        results = self._analyze(call, request)
        return AnalysisOutcome(
            results={name: results[name] for name in request.analyses}, engine=self.name
        )

    @abstractmethod
    def _analyze(self, call: Call, request: AnalysisRequest) -> Results: ...


def base_language(code: str) -> str:
    """``es-MX`` → ``es``."""
    return code.split("-")[0].lower()
