"""Merges a language model's answers for all chunks, and drops statements without a segment."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from analysis_app.engines.base import Call, Results, Turn
from analysis_app.engines.local.sentiment import label, trend, weighted_mean
from analysis_app.engines.local.topics import snake_case

TOPICS = 8


def chunks(turns: Sequence[Turn], characters: int) -> Iterator[list[Turn]]:
    """Consecutive turns of at most so many characters of text, and at least one turn each."""
    chunk: list[Turn] = []
    size = 0
    for turn in turns:
        if chunk and size + len(turn.text) > characters:
            yield chunk
            chunk, size = [], 0
        chunk.append(turn)
        size += len(turn.text)
    yield chunk


def join(call: Call, wanted: Sequence[str], parts: Sequence[dict[str, Any]]) -> Results:
    """The results of all chunks as one. ``summary`` is the first chunk's: long calls reduce it."""
    results: Results = {}
    if "sentiment" in wanted:
        results["sentiment"] = _sentiment(call, [part["sentiment"] for part in parts])
    if "topics" in wanted:
        results["topics"] = _topics([topic for part in parts for topic in part["topics"]])
    if "summary" in wanted:
        results["summary"] = checked_summary(call, parts[0]["summary"])
    if "action_items" in wanted:
        items = [item for part in parts for item in part["action_items"]]
        results["action_items"] = _action_items(call, items)
    return results


def _ids(call: Call) -> set[str]:
    return {turn.id for turn in call.turns}


def _sentiment(call: Call, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    scores = {entry["id"]: float(entry["score"]) for part in parts for entry in part["segments"]}
    scored = [(turn, scores[turn.id]) for turn in call.turns if turn.id in scores]
    overall = float(parts[0]["overall"]) if len(parts) == 1 else weighted_mean(scored)
    known = _ids(call)
    return {
        "overall": round(overall, 2),
        "label": label(overall),
        "trend": trend(scored),
        "segments": [
            {"id": turn.id, "score": round(score, 2), "label": label(score)}
            for turn, score in scored
        ],
        "key_moments": [
            moment
            for part in parts
            for moment in part["key_moments"]
            if moment["segment_id"] in known
        ],
    }


def _topics(topics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    best: dict[str, float] = {}
    for topic in topics:
        name = snake_case(topic["name"])
        if name:
            best[name] = max(best.get(name, 0.0), float(topic["confidence"]))
    ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:TOPICS]
    return [{"name": name, "confidence": round(confidence, 2)} for name, confidence in ranked]


def checked_summary(call: Call, summary: dict[str, Any]) -> dict[str, Any]:
    known = _ids(call)
    points = [point for point in summary["key_points"] if point["segment_id"] in known]
    return {
        "brief": summary["brief"],
        "key_points": [point["text"] for point in points],
        "key_point_segments": [point["segment_id"] for point in points],
        "outcome": summary["outcome"],
    }


def _action_items(call: Call, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    known = _ids(call)
    return [
        {**item, "due_date": _date(item["due_date"])}
        for item in items
        if item["segment_id"] in known
    ]


def _date(text: str | None) -> str | None:
    try:
        return datetime.date.fromisoformat(text).isoformat() if text else None
    except ValueError:
        return None
