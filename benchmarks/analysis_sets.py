"""Rows on public sets of dialogues, which the user downloads: DialogSum, MELD and STAR."""

import csv
import datetime
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import analysis_baselines as baselines

from analysis_app.engines.base import AnalysisRequest, Analyzer, Call, Turn
from analysis_app.engines.local.sentiment import label, turn_score
from tests.analysis_app.written_calls import fits_topic, has

DAY = datetime.date(2026, 3, 24)
WORDS_PER_SECOND = 2.5
MOST_DIALOGUES = 300  # of STAR, evenly spread; it has 6,652
WHERE = {
    "dialogsum.test.jsonl": "https://github.com/cylnlp/dialogsum (DialogSum_Data)",
    "test_sent_emo.csv": "https://github.com/declare-lab/MELD (data/MELD)",
    "dialogues": "https://github.com/RasaHQ/STAR (the folder dialogues)",
}
# What a brief or a topic of STAR's task names.
TASKS = {
    "apartment_schedule": "apartment|viewing",
    "apartment_search": "apartment",
    "bank_balance": "balance",
    "bank_fraud_report": "fraud|suspicious|charge|transaction|stolen|unauthori[sz]ed",
    "doctor_followup": "medicine|medication|instruction|prescription|doctor",
    "doctor_schedule": "appointment|doctor",
    "hotel_book": "hotel|room|booking",
    "hotel_search": "hotel",
    "hotel_service_request": "room|towel|service|hotel",
    "meeting_schedule": "meeting",
    "party_plan": "party",
    "party_rsvp": "party|rsvp",
    "plane_book": "flight|plane|ticket",
    "plane_search": "flight|plane",
    "restaurant_book": "restaurant|table|reservation|booking",
    "restaurant_search": "restaurant",
    "ride_book": "ride|taxi|cab|car",
    "ride_change": "ride|taxi|cab|car",
    "ride_status": "ride|taxi|cab|car|driver",
    "trip_directions": "direction|route|trip|way",
}


def _call(lines: list[tuple[str, str]]) -> Call:
    turns, clock = [], 0.0
    for index, (speaker, text) in enumerate(lines):
        length = max(1.0, len(text.split()) / WORDS_PER_SECOND)
        turns.append(Turn(f"seg_{index}", speaker, "en", text, None, clock, clock + length))
        clock += length + 0.7
    return Call(turns, clock, DAY)


def _find(folder: Path, name: str) -> Path | None:
    return next(iter(sorted(folder.rglob(name))), None)


def _row(name: str, *figures: float) -> None:
    print(f"{name:44}" + "".join(f"{figure:>10.3f}" for figure in figures))


def _mean(figures: list[float]) -> float:
    return sum(figures) / len(figures) if figures else 0.0


def _dialogsum(path: Path) -> Iterator[tuple[Call, list[str], list[str]]]:
    """(call, summaries, topics). The person who speaks first is taken for the customer."""
    for line in path.read_text().splitlines():
        item = json.loads(line)
        lines = []
        for spoken in item["dialogue"].splitlines():
            match = re.match(r"#Person(\d)#: ?(.+)", spoken)
            if match:
                lines.append(("customer" if match.group(1) == "1" else "agent", match.group(2)))
        keys = [key for key in item if key.startswith("summary")]
        summaries = [re.sub(r"#Person\d#", "", item[key]) for key in keys]
        yield _call(lines), summaries, [item[key.replace("summary", "topic")] for key in keys]


def report_dialogsum(analyzer: Analyzer, path: Path) -> None:
    """ROUGE against each of three written summaries, averaged; a topic shares a word with one.

    How the speakers are called ("#Person1#", "Customer:") counts on neither side.
    """
    rouge_1: list[list[float]] = [[], [], []]
    rouge_l: list[list[float]] = [[], [], []]
    topics: list[list[float]] = [[], [], []]
    for call, summaries, wanted in _dialogsum(path):
        results = analyzer.analyze(call, AnalysisRequest(["summary", "topics"])).results
        text = "\n".join(turn.text for turn in call.turns)
        briefs = (
            re.sub(r"\b(?:Customer|Agent): ", "", results["summary"]["brief"]),
            baselines.lead(call, 3),
            baselines.longest(call, 2),
        )
        found = (
            [topic["name"].replace("_", " ") for topic in results["topics"][:3]],
            baselines.rake(text, "en"),
            baselines.most_frequent(text, "en"),
        )
        names = {word[:5] for topic in wanted for word in baselines.words(topic) if len(word) > 3}
        for index in range(3):
            brief = briefs[index]
            rouge_1[index].append(_mean([baselines.rouge_1(brief, each) for each in summaries]))
            rouge_l[index].append(_mean([baselines.rouge_l(brief, each) for each in summaries]))
            own = {word[:5] for topic in found[index] for word in baselines.words(topic)}
            topics[index].append(float(bool(own & names)))
    print(f"\nDialogSum, {len(topics[0])} dialogues")
    print(f"{'':44}{'ours':>10}{'lead-3':>10}{'longest 2':>10}")
    _row("brief, ROUGE-1", *map(_mean, rouge_1))
    _row("brief, ROUGE-L", *map(_mean, rouge_l))
    print(f"{'':44}{'ours':>10}{'RAKE':>10}{'counting':>10}")
    _row("a word of the topic among three topics", *map(_mean, topics))


def report_meld(_: Analyzer, path: Path) -> None:
    """Sentiment of single utterances of spoken dialogue."""
    values = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
    wanted, ours, vader = [], [], []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            call = _call([("customer", row["Utterance"])])
            wanted.append(row["Sentiment"])
            ours.append(turn_score(call, call.turns[0]) or 0.0)
            vader.append(baselines.vader(row["Utterance"]))
    truth = [values[name] for name in wanted]
    print(f"\nMELD, {len(wanted)} utterances")
    print(f"{'':44}{'ours':>10}{'VADER':>10}")
    _row(
        "sentiment, correlation",
        baselines.correlation(ours, truth),
        baselines.correlation(vader, truth),
    )
    _row(
        "sentiment, macro-F1",
        baselines.macro_f1([label(score) for score in ours], wanted),
        baselines.macro_f1([baselines.label(score) for score in vader], wanted),
    )


def _star(folder: Path) -> Iterator[tuple[Call, str]]:
    """(call, task) of dialogues with one task that the customer completes."""
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    found = []
    for path in paths:
        dialogue: dict[str, Any] = json.loads(path.read_text())
        scenario = dialogue["Scenario"]
        task = scenario["WizardCapabilities"][0]["Task"]
        if scenario["Happy"] and not scenario["MultiTask"] and task in TASKS:
            found.append((dialogue["Events"], task))
    for events, task in found[:: max(1, len(found) // MOST_DIALOGUES)]:
        lines = [
            ("customer" if event["Agent"] == "User" else "agent", event["Text"])
            for event in events
            if event["Action"] in ("utter", "pick_suggestion") and event.get("Text")
        ]
        yield _call(lines), task


def report_star(analyzer: Analyzer, folder: Path) -> None:
    """People who play a customer and an agent, in writing, with one task each."""
    rows: dict[str, list[list[float]]] = {
        "brief names the task": [[], [], []],
        "task is the first topic": [[], [], []],
        "task among three topics": [[], [], []],
    }
    for call, task in _star(folder):
        results = analyzer.analyze(call, AnalysisRequest(["summary", "topics"])).results
        text = "\n".join(turn.text for turn in call.turns)
        pattern = TASKS[task]
        briefs = (results["summary"]["brief"], baselines.lead(call, 3), baselines.lead(call, 2))
        found = (
            [topic["name"] for topic in results["topics"]],
            baselines.rake(text, "en"),
            baselines.most_frequent(text, "en"),
        )
        for index in range(3):
            names = [fits_topic(pattern, name) for name in found[index][:3]]
            rows["brief names the task"][index].append(float(has(pattern, briefs[index])))
            rows["task is the first topic"][index].append(float(any(names[:1])))
            rows["task among three topics"][index].append(float(any(names)))
    print(f"\nSTAR, {len(rows['brief names the task'][0])} dialogues")
    for name, others in zip(
        rows, (("lead-3", "first 2"), ("RAKE", "counting"), ("RAKE", "counting")), strict=True
    ):
        print(f"{'':44}{'ours':>10}{others[0]:>10}{others[1]:>10}")
        _row(name, *map(_mean, rows[name]))


REPORTS: dict[str, Callable[[Analyzer, Path], None]] = {
    "dialogsum.test.jsonl": report_dialogsum,
    "test_sent_emo.csv": report_meld,
    "dialogues": report_star,
}


def report_sets(analyzer: Analyzer, folder: Path) -> None:
    """Reports on each set found in ``folder`` and says where to download the others."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not a folder")
    for name, report in REPORTS.items():
        path = _find(folder, name)
        if path is None:
            print(f"\n{name} is not in {folder}. Download it from {WHERE[name]}")
        else:
            report(analyzer, path)
