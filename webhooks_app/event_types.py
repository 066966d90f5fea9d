"""The catalogue of event types."""

from dataclasses import dataclass

from kallglot_site.accounts.models import Scope

ALL = "*"


@dataclass(frozen=True, slots=True)
class EventType:
    """``carries`` names the object in ``data``; ``scope`` is what reading that object needs."""

    name: str
    carries: str
    scope: str | None
    description: str


_TYPES = (
    EventType(
        "session.created", "session", Scope.SESSIONS_READ, "A session was created over REST."
    ),
    EventType(
        "session.started", "session", Scope.SESSIONS_READ, "The first audio of a session arrived."
    ),
    EventType(
        "session.ended",
        "session",
        Scope.SESSIONS_READ,
        "A session has ended; `end_reason` says why. Segments of speech already received may "
        "still follow.",
    ),
    EventType(
        "session.provider.connected",
        "session",
        Scope.SESSIONS_READ,
        "The telephony provider opened its audio stream.",
    ),
    EventType(
        "session.provider.disconnected",
        "session",
        Scope.SESSIONS_READ,
        "The telephony provider's audio stream closed. The session goes on until it is ended.",
    ),
    EventType(
        "transcript.segment",
        "segment",
        Scope.SESSIONS_READ,
        "A speaker finished an utterance: its text, and its translation if there is one yet.",
    ),
    EventType(
        "translation.segment",
        "segment",
        Scope.SESSIONS_READ,
        "A segment was translated into the other party's language: the segment with its "
        "`translation`.",
    ),
    EventType(
        "transcript.ready",
        "transcript",
        Scope.SESSIONS_READ,
        "The transcript is complete. Sent without its segments: retrieve them.",
    ),
    EventType(
        "recording.ready",
        "recording",
        Scope.RECORDINGS_READ,
        "A recording is assembled and can be downloaded.",
    ),
    EventType(
        "recording.failed",
        "recording",
        Scope.RECORDINGS_READ,
        "A recording could not be assembled.",
    ),
    EventType(
        "analysis.complete",
        "analysis",
        Scope.ANALYSIS_READ,
        "An analysis has finished; `results` holds what was asked for.",
    ),
    EventType(
        "analysis.failed",
        "analysis",
        Scope.ANALYSIS_READ,
        "An analysis could not be made; `error` says why.",
    ),
    EventType(
        "webhook.test",
        "webhook_endpoint",
        None,
        "Sent on request, to see that a receiver works. Only the endpoint under test gets it.",
    ),
)
CATALOG: dict[str, EventType] = {kind.name: kind for kind in _TYPES}
SUBSCRIBABLE: tuple[str, ...] = tuple(name for name in CATALOG if name != "webhook.test")
