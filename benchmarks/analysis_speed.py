"""Seconds that the local engine needs to analyze calls of 10, 60 and 480 minutes, by type.

The baseline ("floor") reads every word of the transcript once (a lower-cased split), as any
analyzer must. The calls are those of the test suite, repeated until they are long enough.
"""

import functools
import time
from collections.abc import Callable

from analysis_app.engines.base import ANALYSIS_TYPES, AnalysisRequest, Call, Turn
from analysis_app.engines.local import LocalAnalyzer
from tests.analysis_app.evaluation import call_from, read_cases

MINUTES = (10, 60, 480)


def call_of(minutes: int) -> Call:
    """The test suite's calls one after the other, repeated up to the given length."""
    calls = [call_from(case) for _, case in read_cases()]
    turns: list[Turn] = []
    clock, index = 0.0, 0
    while clock < minutes * 60:
        call = calls[index % len(calls)]
        turns += [
            Turn(
                f"{each.id}_{index}",
                each.speaker,
                each.language,
                each.text,
                each.translation,
                each.start + clock,
                each.end + clock,
            )
            for each in call.turns
        ]
        clock += call.duration
        index += 1
    return Call(turns, clock, calls[0].date)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read_every_word(call: Call) -> None:
    for turn in call.turns:
        turn.text.lower().split()


def report_speed() -> None:
    analyzer = LocalAnalyzer()
    analyzer.analyze(call_of(1), AnalysisRequest(ANALYSIS_TYPES))  # load lexicons once
    names = "".join(f"{name:>14}" for name in ANALYSIS_TYPES)
    print(f"{'minutes':>8}{'turns':>8}{names}{'ours, all':>12}{'floor':>10}{'ratio':>9}")
    for minutes in MINUTES:
        call = call_of(minutes)
        print(f"{minutes:>8}{len(call.turns):>8}", end="", flush=True)
        total = 0.0
        for name in ANALYSIS_TYPES:
            request = AnalysisRequest([name])
            spent = seconds(functools.partial(analyzer.analyze, call, request))
            total += spent
            print(f"{spent:>13.2f}s", end="", flush=True)
        floor = seconds(functools.partial(read_every_word, call))
        print(f"{total:>11.2f}s{floor:>9.4f}s{total / floor:>8.0f}x")
