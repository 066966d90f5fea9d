"""Sixty written calls in six languages, and what an analysis of each must say.

``cases/tuning`` is for whoever changes the analyzer. ``cases/held_out`` is not looked at before a
change is done. Each call is a table of a TOML file:

- ``turns``: one line each, ``A:`` for the agent and ``C:`` for the customer
- ``reason``: patterns that a brief which names the customer's reason all contains
- ``done``: patterns of what the agent did, promised or refused; empty if it was nothing
- ``outcome``, and ``evidence``: the lines that say so, counted from 1
- ``topic``: a pattern of a name for the reason, English or as spoken
- ``sentiment`` of the whole call
- ``secrets`` that no result may contain
- ``action_items``: ``who``, ``what`` (a pattern) and ``when`` (the due date, where there is one)
"""

import functools
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis_app.engines.base import AnalysisRequest, Analyzer, Call, Results
from tests.analysis_app.evaluation import CASES, TYPES, call_from

DATE = "2026-03-24"  # a Tuesday
SPEAKERS = {"A": "agent", "C": "customer"}
SETS = ("tuning", "held_out")
MOST_WORDS = 40  # of a brief


@dataclass(frozen=True, slots=True)
class WrittenCall:
    name: str
    language: str
    lines: Sequence[tuple[str, str]]  # (speaker, text)
    expected: dict[str, Any]

    @property
    def call(self) -> Call:
        turns = [
            {"speaker": speaker, "language": self.language, "text": text}
            for speaker, text in self.lines
        ]
        case = {"turns": turns, "date": DATE, "source_language": None, "target_language": None}
        return call_from(case)


@functools.cache
def written_calls(name: str) -> tuple[WrittenCall, ...]:
    """The calls of the set ``tuning`` or ``held_out``."""
    calls = []
    for path in sorted((CASES / name).glob("*.toml")):
        for key, table in tomllib.loads(path.read_text()).items():
            lines = [line.split(": ", 1) for line in table.pop("turns").strip().splitlines()]
            spoken = [(SPEAKERS[letter], text) for letter, text in lines]
            calls.append(WrittenCall(key, table.pop("language"), spoken, table))
    return tuple(calls)


def has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def has_all(patterns: Sequence[str], text: str) -> bool:
    return all(has(pattern, text) for pattern in patterns)


def fits_topic(pattern: str, name: str) -> bool:
    return has(pattern, name) or has(pattern, name.replace("_", " "))


def secrets_in(results: Any, secrets: Sequence[str]) -> list[str]:
    text = json.dumps(results, ensure_ascii=False).lower()
    return [secret for secret in secrets if secret in text]


@dataclass
class Score:
    """How many of ``of`` were right, and what was wrong with the others."""

    right: int = 0
    of: int = 0
    misses: list[str] = field(default_factory=list)

    def add(self, is_right: bool, miss: str) -> None:
        self.of += 1
        self.right += is_right
        if not is_right:
            self.misses.append(miss)

    @property
    def share(self) -> float:
        return self.right / self.of if self.of else 1.0


ROWS = (
    "brief names the reason",
    "brief holds the outcome",
    "brief of 40 words at most",
    "outcome",
    "evidence of the outcome",
    "first topic useful",
    "reason among three topics",
    "action items: precision",
    "action items: recall",
    "action items: due date",
    "sentiment of the call",
    "no secret repeated",
)


def _judge_items(scores: dict[str, Score], name: str, found: Any, wanted: Any) -> None:
    def fits(item: Any, each: Any) -> bool:
        return item["assignee"] == each["who"] and has(each["what"], item["description"])

    for item in found:
        scores["action items: precision"].add(
            any(fits(item, each) for each in wanted),
            f"{name}: {item['assignee']}: {item['description']}",
        )
    for each in wanted:
        matching = [item for item in found if fits(item, each)]
        scores["action items: recall"].add(bool(matching), f"{name}: {each}")
        if matching and each.get("when"):
            days = [item["due_date"] for item in matching]
            scores["action items: due date"].add(each["when"] in days, f"{name}: {each}: {days}")


def judge(scores: dict[str, Score], written: WrittenCall, results: Results) -> None:
    """Adds one call's results to the scores by row."""
    name, expected = written.name, written.expected
    summary, topics = results["summary"], [topic["name"] for topic in results["topics"]]
    brief = summary["brief"]
    scores["brief names the reason"].add(has_all(expected["reason"], brief), f"{name}: {brief}")
    scores["brief of 40 words at most"].add(len(brief.split()) <= MOST_WORDS, f"{name}: {brief}")
    if expected["done"]:
        scores["brief holds the outcome"].add(has_all(expected["done"], brief), f"{name}: {brief}")
    scores["outcome"].add(
        summary["outcome"] == expected["outcome"],
        f"{name}: {summary['outcome']}, not {expected['outcome']}",
    )
    if expected["evidence"]:
        wanted = [f"seg_{line - 1}" for line in expected["evidence"]]
        found = summary.get("outcome_segment_id")
        scores["evidence of the outcome"].add(found in wanted, f"{name}: {found} not in {wanted}")
    scores["first topic useful"].add(
        any(fits_topic(expected["topic"], topic) for topic in topics[:1]), f"{name}: {topics}"
    )
    scores["reason among three topics"].add(
        any(fits_topic(expected["topic"], topic) for topic in topics[:3]), f"{name}: {topics}"
    )
    _judge_items(scores, name, results["action_items"], expected["action_items"])
    label = results["sentiment"]["label"]
    scores["sentiment of the call"].add(
        label == expected["sentiment"], f"{name}: {label}, not {expected['sentiment']}"
    )
    said = {key: results[key] for key in ("summary", "topics", "action_items")}
    leaked = secrets_in(said, expected["secrets"])
    scores["no secret repeated"].add(not leaked, f"{name}: {leaked}")


def measure(analyzer: Analyzer, calls: Sequence[WrittenCall]) -> dict[str, Score]:
    """Scores by row of ``ROWS``."""
    scores = {row: Score() for row in ROWS}
    for written in calls:
        judge(scores, written, analyzer.analyze(written.call, AnalysisRequest(TYPES)).results)
    return scores
