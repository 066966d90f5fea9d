"""Measures an analyzer on the written calls in ``cases/``: precision and recall by type.

Run ``python -m tests.analysis_app.evaluation [ANALYZER_URL]`` to print the report.
"""

import datetime
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis_app.engines.base import AnalysisRequest, Analyzer, Call, Turn

CASES = Path(__file__).parent / "cases"
WORDS_PER_SECOND = 2.5
PAUSE = 0.7  # seconds between turns
TYPES = ("sentiment", "topics", "summary", "action_items")


def read_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(CASES.glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def call_from(case: dict[str, Any]) -> Call:
    """A written call at an even pace of speech."""
    turns: list[Turn] = []
    clock = 0.0
    for index, entry in enumerate(case["turns"]):
        length = len(entry["text"].split()) / WORDS_PER_SECOND
        turns.append(
            Turn(
                id=f"seg_{index}",
                speaker=entry["speaker"],
                language=entry["language"],
                text=entry["text"],
                translation=entry.get("translation"),
                start=clock,
                end=clock + length,
            )
        )
        clock += length + PAUSE
    return Call(
        turns=turns,
        duration=clock,
        date=datetime.date.fromisoformat(case["date"]),
        source_language=case["source_language"],
        target_language=case["target_language"],
    )


@dataclass
class Tally:
    """Counts of one analysis type over all cases."""

    found: int = 0
    wanted: int = 0
    right_found: int = 0
    right_wanted: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right_found / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right_wanted / self.wanted if self.wanted else 1.0


def _fits(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Each word of the expectation is in the item ("a|b": either), for the right party."""
    text = item["description"].lower()
    return item["assignee"] == wanted["assignee"] and all(
        re.search(words, text) for words in wanted["words"]
    )


def _judge_actions(tally: Tally, name: str, found: list[Any], wanted: list[Any]) -> None:
    tally.found += len(found)
    tally.wanted += len(wanted)
    for item in found:
        if any(_fits(item, each) for each in wanted):
            tally.right_found += 1
        else:
            tally.misses.append(f"{name}: not expected: {item['assignee']}: {item['description']}")
    for each in wanted:
        if any(_fits(item, each) for item in found):
            tally.right_wanted += 1
        else:
            tally.misses.append(f"{name}: missing: {each['assignee']}: {each['words']}")


def _judge_due_dates(tally: Tally, name: str, found: list[Any], wanted: list[Any]) -> None:
    for each in wanted:
        if each["due_date"] is None:
            continue
        tally.wanted += 1
        matching = [item["due_date"] for item in found if _fits(item, each)]
        tally.found += bool(matching)
        if each["due_date"] in matching:
            tally.right_wanted += 1
            tally.right_found += 1
        else:
            tally.misses.append(f"{name}: due {each['due_date']}, got {matching}")


def _judge_label(tally: Tally, name: str, found: str, wanted: str) -> None:
    tally.found += 1
    tally.wanted += 1
    if found == wanted:
        tally.right_found += 1
        tally.right_wanted += 1
    else:
        tally.misses.append(f"{name}: {found}, expected {wanted}")


def _judge_topics(tally: Tally, name: str, found: list[Any], wanted: list[str]) -> None:
    tally.wanted += len(wanted)
    names = [topic["name"] for topic in found]
    for topic in wanted:
        if any(topic in each for each in names):
            tally.right_wanted += 1
        else:
            tally.misses.append(f"{name}: {topic} not in {names}")


def evaluate(analyzer: Analyzer) -> dict[str, Tally]:
    tallies = {
        name: Tally() for name in ("action_items", "due_dates", "outcome", "sentiment", "topics")
    }
    for name, case in read_cases():
        results = analyzer.analyze(call_from(case), AnalysisRequest(TYPES)).results
        expected = case["expected"]
        found, wanted = results["action_items"], expected["action_items"]
        _judge_actions(tallies["action_items"], name, found, wanted)
        _judge_due_dates(tallies["due_dates"], name, found, wanted)
        _judge_label(tallies["outcome"], name, results["summary"]["outcome"], expected["outcome"])
        label = results["sentiment"]["label"]
        _judge_label(tallies["sentiment"], name, label, expected["sentiment"])
        _judge_topics(tallies["topics"], name, results["topics"], expected["topics"])
    # Only the expected topics are written down; others may be right too.
    tallies["topics"].found = tallies["topics"].right_found = 0
    return tallies


def report(tallies: dict[str, Tally]) -> str:
    lines = [f"{'type':14}{'precision':>10}{'recall':>10}"]
    for name, tally in tallies.items():
        precision = f"{tally.precision:.2f}" if tally.found else "-"
        lines.append(f"{name:14}{precision:>10}{tally.recall:>10.2f}")
    for name, tally in tallies.items():
        lines += [f"\n{name}:", *(f"  {miss}" for miss in tally.misses)] if tally.misses else []
    return "\n".join(lines)


if __name__ == "__main__":
    from analysis_app.engines.registry import analyzer_from_url

    print(report(evaluate(analyzer_from_url(sys.argv[1] if sys.argv[1:] else "local://"))))
