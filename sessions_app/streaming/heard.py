"""How far this process has heard a session, for whoever ends it here.

Positions reach the database with the gateway's heartbeat, a second late. An end that is asked for
over REST is most often handled by the very process that has the call.
"""

from collections.abc import Callable

_heard_until: Callable[[str], float] | None = None


def install(heard_until: Callable[[str], float]) -> None:
    """``heard_until`` tells the end of a session's audio here, in seconds, from any thread."""
    global _heard_until
    _heard_until = heard_until


def heard_until(session_id: str) -> float:
    """Seconds on the session's timeline; 0: this process does not have the call."""
    return 0.0 if _heard_until is None else _heard_until(session_id)
