"""Conversation quality from who spoke when. Exact arithmetic on segment times, no guessing.

``docs/analysis.md`` explains each number and the score.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis_app.engines.base import Call, Turn
from analysis_app.engines.local.cues import says_hold

INTERRUPTION_OVERLAP = 0.5  # seconds of overlap from which the second speaker interrupts
DEAD_AIR = 5.0  # seconds of silence that the agent did not announce
HOLD = 5.0  # seconds of silence after the agent asked the customer to wait

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Silence:
    start: float
    end: float
    is_hold: bool

    @property
    def length(self) -> float:
        return self.end - self.start


def union(spans: Sequence[Span]) -> list[Span]:
    """Overlapping and touching spans joined, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined


def total(spans: Sequence[Span]) -> float:
    return sum(end - start for start, end in spans)


def talk_time(turns: Sequence[Turn], speaker: str) -> float:
    """Seconds in which ``speaker`` speaks, counted once where their segments overlap."""
    return total(union([(turn.start, turn.end) for turn in turns if turn.speaker == speaker]))


def talk_ratio(turns: Sequence[Turn]) -> dict[str, int]:
    """Percent of all speech by each party; they add up to 100 unless there is no speech."""
    agent, customer = talk_time(turns, "agent"), talk_time(turns, "customer")
    if agent + customer == 0:
        return {"agent": 0, "customer": 0}
    share = round(100 * agent / (agent + customer))
    return {"agent": share, "customer": 100 - share}


def interruptions(turns: Sequence[Turn]) -> int:
    """How often a party starts while the other speaks and they overlap beyond the threshold."""
    count = 0
    floor: dict[str, Turn] = {}
    for turn in turns:
        other = floor.get("customer" if turn.speaker == "agent" else "agent")
        if other is not None and other.start < turn.start < other.end:
            overlap = min(turn.end, other.end) - turn.start
            count += overlap > INTERRUPTION_OVERLAP
        own = floor.get(turn.speaker)
        if own is None or turn.end > own.end:
            floor[turn.speaker] = turn
    return count


def silences(turns: Sequence[Turn]) -> list[Silence]:
    """Gaps between speech of either party, in order, each marked as hold or unannounced."""
    gaps: list[Silence] = []
    last: Turn | None = None
    for turn in turns:
        if last is not None and turn.start > last.end:
            hold = last.speaker == "agent" and says_hold(last)
            gaps.append(Silence(last.end, turn.start, hold))
        if last is None or turn.end > last.end:
            last = turn
    return gaps


def response_times(turns: Sequence[Turn]) -> list[float]:
    """Seconds from the end of the customer's words to the agent's next; 0 where they overlap.

    A turn after an announced hold is left out: it is not a slow answer.
    """
    holds = {silence.end for silence in silences(turns) if silence.is_hold}
    times: list[float] = []
    for before, after in itertools.pairwise(turns):
        if before.speaker == "customer" and after.speaker == "agent" and after.start not in holds:
            times.append(max(0.0, after.start - before.end))
    return times


def longest_monologue(turns: Sequence[Turn]) -> dict[str, object]:
    """The longest time that one party speaks without the other, in seconds."""
    best: dict[str, object] = {"speaker": None, "duration": 0.0, "segment_id": None}
    longest = 0.0
    first: Turn | None = None
    for turn in turns:
        if first is None or turn.speaker != first.speaker:
            first = turn
        if turn.end - first.start > longest:
            longest = turn.end - first.start
            best = {
                "speaker": first.speaker,
                "duration": round(longest, 1),
                "segment_id": first.id,
            }
    return best


def words_per_minute(turns: Sequence[Turn], speaker: str) -> int | None:
    """Words per minute of the speaker's own speech; None without speech."""
    seconds = talk_time(turns, speaker)
    if seconds <= 0:
        return None
    words = sum(len(turn.text.split()) for turn in turns if turn.speaker == speaker)
    return round(60 * words / seconds)


def _score(
    *,
    ratio: dict[str, int],
    interrupted: int,
    minutes: float,
    response: float,
    hold: float,
    dead: int,
) -> int:
    """100 minus deductions. Each is limited, so that one alone cannot bring the score to 0."""
    penalty = min(25.0, 8.0 * interrupted / max(1.0, minutes))
    penalty += min(20.0, 5.0 * max(0.0, response - 2.0))
    penalty += min(20.0, 5.0 * dead)
    penalty += min(15.0, 15.0 * max(0.0, hold / 60 - 1.0) / 4)
    penalty += min(20.0, max(0, abs(ratio["agent"] - 50) - 20))
    return round(100 - penalty)


def measure_quality(call: Call) -> dict[str, Any]:
    turns = call.turns
    gaps = silences(turns)
    hold = sum(gap.length for gap in gaps if gap.is_hold and gap.length >= HOLD)
    dead = sum(1 for gap in gaps if not gap.is_hold and gap.length >= DEAD_AIR)
    times = response_times(turns)
    response = sum(times) / len(times) if times else 0.0
    ratio = talk_ratio(turns)
    interrupted = interruptions(turns)
    score = _score(
        ratio=ratio,
        interrupted=interrupted,
        minutes=call.duration / 60,
        response=response,
        hold=hold,
        dead=dead,
    )
    return {
        "score": score if turns else 0,
        "talk_ratio": ratio,
        "interruptions": interrupted,
        "average_response_time": round(response, 2),
        "hold_time": round(hold, 1),
        "dead_air_instances": dead,
        "longest_monologue": longest_monologue(turns),
        "words_per_minute": {
            speaker: words_per_minute(turns, speaker) for speaker in ("agent", "customer")
        },
    }
