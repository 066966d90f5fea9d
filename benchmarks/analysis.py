"""How good and how fast the local analyzer is, beside simple methods on the same calls.

    python benchmarks/analysis.py                       # speed, and the calls for tuning
    python benchmarks/analysis.py --calls held_out      # the calls that tuning has not seen
    python benchmarks/analysis.py --sets FOLDER         # public sets in FOLDER

docs/analysis.md says where to download the public sets. ``--misses`` prints what was wrong. Do not
use it on the calls that are held out, and do not tune for them.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import analysis_baselines as baselines
from analysis_sets import report_sets
from analysis_speed import report_speed

from analysis_app.engines.base import AnalysisRequest, Analyzer, Call, Results
from analysis_app.engines.registry import analyzer_from_url
from tests.analysis_app.evaluation import TYPES
from tests.analysis_app.written_calls import (
    ROWS,
    SETS,
    Score,
    WrittenCall,
    judge,
    written_calls,
)

Rival = Callable[[WrittenCall], Results]


def _results(brief: str, topics: list[str], outcome: str, label: str) -> Results:
    return {
        "summary": {"brief": brief, "outcome": outcome},
        "topics": [{"name": name} for name in topics],
        "action_items": [],
        "sentiment": {"label": label},
    }


def _text(call: Call) -> str:
    return "\n".join(turn.text for turn in call.turns)


def _mood(call: Call) -> str:
    """VADER over the whole call, each turn with the same weight."""
    scores = [baselines.vader(turn.text) for turn in call.turns]
    return baselines.label(sum(scores) / len(scores))


def _leading(written: WrittenCall) -> Results:
    """Lead-3, RAKE, always "resolved", VADER."""
    call = written.call
    topics = baselines.rake(_text(call), written.language)
    return _results(baselines.lead(call, 3), topics, "resolved", _mood(call))


def _longest(written: WrittenCall) -> Results:
    """The two longest sentences, the most frequent words, always "follow_up", always neutral."""
    call = written.call
    topics = baselines.most_frequent(_text(call), written.language)
    return _results(baselines.longest(call, 2), topics, "follow_up", "neutral")


RIVALS: dict[str, Rival] = {
    "lead-3, RAKE, resolved, VADER": _leading,
    "longest 2, counting, follow_up, neutral": _longest,
}
WITHOUT_RIVAL = ("evidence", "action items")  # rows that no simple method has


def _measure(results_of: Rival, calls: tuple[WrittenCall, ...]) -> dict[str, Score]:
    scores = {row: Score() for row in ROWS}
    for written in calls:
        judge(scores, written, results_of(written))
    return scores


def report_calls(analyzer: Analyzer, name: str, *, misses: bool) -> None:
    calls = written_calls(name)

    def ours(written: WrittenCall) -> Any:
        return analyzer.analyze(written.call, AnalysisRequest(TYPES)).results

    own = _measure(ours, calls)
    others = {key: _measure(rival, calls) for key, rival in RIVALS.items()}
    print(f"\n{len(calls)} written calls, {name}. Beside {analyzer.name}:")
    for number, key in enumerate(RIVALS, start=1):
        print(f"  rival {number}: {key}")
    print(f"\n{'':28}{analyzer.name:>10}{'of':>6}{'rival 1':>10}{'rival 2':>10}")
    for row in ROWS:
        shares = [
            "-" if row.startswith(WITHOUT_RIVAL) else f"{scores[row].share:.2f}"
            for scores in others.values()
        ]
        print(
            f"{row:28}{own[row].share:>10.2f}{own[row].of:>6}{''.join(f'{s:>10}' for s in shares)}"
        )
    if misses:
        for row in ROWS:
            for miss in own[row].misses:
                print(f"{row}: {miss}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--calls", choices=SETS, help="written calls only")
    parser.add_argument("--sets", type=Path, metavar="FOLDER", help="public sets only")
    parser.add_argument("--speed", action="store_true", help="speed only")
    parser.add_argument("--misses", action="store_true", help="print what was wrong")
    parser.add_argument("--analyzer", default="local://", help="an ANALYZER_URL")
    options = parser.parse_args()
    analyzer = analyzer_from_url(options.analyzer)
    if options.sets:
        report_sets(analyzer, options.sets)
        return
    if options.speed or not options.calls:
        report_speed()
    if not options.speed:
        report_calls(analyzer, options.calls or SETS[0], misses=options.misses)


if __name__ == "__main__":
    main()
