"""Calls written in a line or two, for tests."""

import datetime
from collections.abc import Sequence

from analysis_app.engines.base import Call, Turn

TUESDAY = datetime.date(2026, 3, 24)


def turn(
    index: int,
    speaker: str,
    start: float,
    end: float,
    text: str = "some words",
    *,
    language: str = "en",
    translation: str | None = None,
) -> Turn:
    return Turn(f"seg_{index}", speaker, language, text, translation, start, end)


def timed(*spans: tuple[str, float, float] | tuple[str, float, float, str]) -> Call:
    """A call from (speaker, start, end[, text]) in order of start."""
    turns = [turn(index, *span) for index, span in enumerate(spans)]
    return Call(turns=turns, duration=max((t.end for t in turns), default=0.0), date=TUESDAY)


def spoken(*lines: tuple[str, str], language: str = "en") -> Call:
    """A call from (speaker, text) at an even pace."""
    turns: list[Turn] = []
    clock = 0.0
    for index, (speaker, text) in enumerate(lines):
        length = max(1.0, len(text.split()) / 2.5)
        turns.append(turn(index, speaker, clock, clock + length, text, language=language))
        clock += length + 0.7
    return Call(turns=turns, duration=clock, date=TUESDAY)


def customer(*texts: str) -> Call:
    return spoken(*[("customer", text) for text in texts])


def repeated(call: Call, times: int) -> Call:
    """The same call repeated, which makes a long call of the same shape."""
    length = call.duration
    turns: Sequence[Turn] = [
        Turn(
            f"{each.id}_{round_}",
            each.speaker,
            each.language,
            each.text,
            each.translation,
            each.start + round_ * length,
            each.end + round_ * length,
        )
        for round_ in range(times)
        for each in call.turns
    ]
    return Call(turns, length * times, call.date, call.source_language, call.target_language)
