"""Conversation quality from who spoke when. Exact arithmetic on segment times, no guessing.

``docs/analysis.md`` explains each number and the score.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis_app.engines.base import Call, Turn
from analysis_app.engines.local.cues import says_hold
from analysis_app.engines.local.listening import (
    is_acknowledgement,
    is_broken_off,
    is_sound,
)

INTERRUPTION_OVERLAP = 0.5  # seconds of overlap from which the second speaker interrupts
CUT_OFF_OVERLAP = 0.2  # the same where the first speaker breaks off in the middle of a sentence
SAME_START = 0.3  # seconds within which both begin at once: neither interrupts
PAUSE = 1.0  # seconds; a party's turns with shorter pauses between them are one speech
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


def backchannels(turns: Sequence[Turn]) -> set[str]:
    """Ids of turns that only show that their speaker listens ("mhm", "okay", "I see").

    The other party speaks on, during or right after them. "Yes" after a question is an answer.
    """
    found: set[str] = set()
    other: dict[str, Turn] = {}  # what each party said last, except for backchannels
    resumes = _next_turns_of_the_other(turns)
    for turn, following in zip(turns, resumes, strict=True):
        before = other.get("customer" if turn.speaker == "agent" else "agent")
        if (
            before is not None
            and is_acknowledgement(turn.text)
            and not before.text.rstrip().endswith("?")
            and (
                turn.end <= before.end
                or (following is not None and following.start <= turn.end + PAUSE)
            )
        ):
            found.add(turn.id)
        else:
            other[turn.speaker] = turn
    return found


def _next_turns_of_the_other(turns: Sequence[Turn]) -> list[Turn | None]:
    """For each turn: the next one, if it is the other party's."""
    following: list[Turn | None] = [
        after if after.speaker != turn.speaker else None
        for turn, after in itertools.pairwise(turns)
    ]
    return [*following, None][: len(turns)]


@dataclass(slots=True)
class _Speech:
    """Turns of one party without a pause between them."""

    speaker: str
    start: float
    end: float
    text: str
    interrupters: list[float] = field(default_factory=list)  # ends of what interrupted it


def interruptions(turns: Sequence[Turn]) -> int:
    """How often a party starts while the other speaks, and both speak or the other breaks off.

    Turns of one party with short pauses between them are one speech, so a party that is spoken
    into does not interrupt by going on. Backchannels and starting at once are no interruptions.
    """
    listening = backchannels(turns)
    spoken = [turn for turn in turns if turn.id not in listening and not is_sound(turn.text)]
    # Without punctuation in the transcript, its absence does not show a broken sentence.
    is_punctuated = any(turn.text.rstrip().endswith((".", "!", "?")) for turn in spoken)
    speeches: dict[str, _Speech] = {}
    count = 0
    for turn in spoken:
        own = speeches.get(turn.speaker)
        other = speeches.get("customer" if turn.speaker == "agent" else "agent")
        is_new_start = other is not None and own is not None and own.end <= other.start
        if own is not None and turn.start <= own.end + PAUSE and not is_new_start:
            if turn.end > own.end:
                own.end, own.text = turn.end, turn.text
        else:
            own = speeches[turn.speaker] = _Speech(turn.speaker, turn.start, turn.end, turn.text)
        if other is None or not other.start + SAME_START <= turn.start < other.end:
            continue
        if own.start + SAME_START <= other.start:
            continue  # it spoke before the other did, and goes on
        overlap = min(turn.end, other.end) - turn.start
        breaks_off = other.end <= turn.end and is_broken_off(other.text, is_punctuated)
        if overlap <= (CUT_OFF_OVERLAP if breaks_off else INTERRUPTION_OVERLAP):
            continue
        again = any(turn.start <= end + PAUSE for end in other.interrupters)
        count += not again
        other.interrupters[:] = [turn.end]
    return count


def silences(turns: Sequence[Turn]) -> list[Silence]:
    """Gaps between speech of either party, in order, each marked as hold or unannounced.

    A hold lasts until the agent speaks again, whatever the customer says meanwhile. Music and
    other sounds that a recognizer writes down as "[music]" are no speech.
    """
    gaps: list[Silence] = []
    last: Turn | None = None
    hold = False
    for turn in turns:
        if is_sound(turn.text):
            continue
        if last is not None and turn.start > last.end:
            gaps.append(Silence(last.end, turn.start, hold))
        if turn.speaker == "agent" and not (hold and is_acknowledgement(turn.text)):
            hold = says_hold(turn)
        if last is None or turn.end > last.end:
            last = turn
    return gaps


def dead_air(turns: Sequence[Turn]) -> list[Silence]:
    """Unannounced silences that are too long. One with only a backchannel in it counts once."""
    short = [turn for turn in turns if is_acknowledgement(turn.text)]
    words = {(turn.start, turn.end) for turn in short}
    long: list[Silence] = []
    for gap in silences(turns):
        if gap.is_hold or gap.length < DEAD_AIR:
            continue
        if long and (long[-1].end, gap.start) in words:
            long[-1] = Silence(long[-1].start, gap.end, False)
        else:
            long.append(gap)
    return long


def response_times(turns: Sequence[Turn], *, without: Sequence[Silence] = ()) -> list[float]:
    """Seconds from the end of the customer's words to the agent's next; 0 where they overlap.

    A turn after an announced hold is left out, since it is not a slow answer, and so are
    backchannels and the answers that end one of the silences ``without``.
    """
    left_out = {gap.end for gap in silences(turns) if gap.is_hold} | {gap.end for gap in without}
    listening = backchannels(turns)
    spoken = [turn for turn in turns if turn.id not in listening and not is_sound(turn.text)]
    return [
        max(0.0, after.start - before.end)
        for before, after in itertools.pairwise(spoken)
        if before.speaker == "customer" and after.speaker == "agent" and after.start not in left_out
    ]


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
    """``score`` is None unless both parties speak: there is no conversation to judge."""
    turns = call.turns
    gaps = silences(turns)
    hold = sum(gap.length for gap in gaps if gap.is_hold and gap.length >= HOLD)
    dead = dead_air(turns)
    times = response_times(turns)
    # Points are taken off for a silence once: as dead air, not also as a slow answer.
    judged = response_times(turns, without=dead)
    ratio = talk_ratio(turns)
    interrupted = interruptions(turns)
    score = _score(
        ratio=ratio,
        interrupted=interrupted,
        minutes=call.duration / 60,
        response=_mean(judged) or 0.0,
        hold=hold,
        dead=len(dead),
    )
    response = _mean(times)
    return {
        "score": score if len({turn.speaker for turn in turns}) > 1 else None,
        "talk_ratio": ratio,
        "interruptions": interrupted,
        "average_response_time": None if response is None else round(response, 2),
        "hold_time": round(hold, 1),
        "dead_air_instances": len(dead),
        "longest_monologue": longest_monologue(turns),
        "words_per_minute": {
            speaker: words_per_minute(turns, speaker) for speaker in ("agent", "customer")
        },
    }


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None
