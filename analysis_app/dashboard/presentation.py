"""Prepares results for the page: start times of rows, and the sentiment chart's coordinates."""

import json
from collections.abc import Mapping
from typing import Any

CHART_WIDTH, CHART_HEIGHT = 600, 90


def _with_time(rows: list[dict[str, Any]], starts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Adds ``time``: the start of the row's segment in seconds, None without a segment."""
    return [{**row, "time": starts.get(row.get("segment_id") or "")} for row in rows]


def _chart(
    segments: list[dict[str, Any]], starts: Mapping[str, float], duration: float
) -> dict[str, Any] | None:
    """The sentiment as a curve over the call, smoothed over three segments."""
    timed = [(starts[row["id"]], row["score"]) for row in segments if row["id"] in starts]
    if len(timed) < 2 or duration <= 0:
        return None
    if len(timed) > CHART_WIDTH // 2:  # more points are not visible
        step = len(timed) // (CHART_WIDTH // 2) + 1
        timed = [
            (timed[i][0], sum(s for _, s in timed[i : i + step]) / len(timed[i : i + step]))
            for i in range(0, len(timed), step)
        ]
    points = []
    for index, (start, _) in enumerate(timed):
        near = [score for _, score in timed[max(0, index - 1) : index + 2]]
        x = CHART_WIDTH * min(1.0, start / duration)
        y = CHART_HEIGHT / 2 * (1 - sum(near) / len(near))
        points.append(f"{x:.1f},{y:.1f}")
    return {
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT,
        "middle": CHART_HEIGHT / 2,
        "line": " ".join(points),
    }


def present(
    results: Mapping[str, Any], starts: Mapping[str, float], duration: float
) -> dict[str, Any]:
    context: dict[str, Any] = {"results": results}
    if "sentiment" in results:
        sentiment = results["sentiment"]
        context["moments"] = _with_time(sentiment["key_moments"], starts)
        context["mood"] = json.dumps({row["id"]: row["score"] for row in sentiment["segments"]})
        context["chart"] = _chart(sentiment["segments"], starts, duration)
    if "summary" in results:
        summary = results["summary"]
        ids = summary.get("key_point_segments") or [None] * len(summary["key_points"])
        context["key_points"] = _with_time(
            [
                {"text": text, "segment_id": segment_id}
                for text, segment_id in zip(summary["key_points"], ids, strict=True)
            ],
            starts,
        )
    if "action_items" in results:
        context["action_items"] = _with_time(results["action_items"], starts)
    if "compliance" in results:
        context["checks"] = _with_time(results["compliance"]["checks"], starts)
    return context
