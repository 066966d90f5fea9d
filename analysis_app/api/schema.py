"""Analyses in the OpenAPI schema."""

from typing import Any

from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.models import Analysis
from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    one_of,
    ref,
    register_component,
    register_id,
)

REQUEST_EXAMPLE: dict[str, Any] = {"analyses": ["summary", "sentiment"], "language": "en"}

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_PERCENT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 100}
_SECONDS: dict[str, Any] = {"type": "number", "minimum": 0, "description": "In seconds."}
_MOOD: dict[str, Any] = {"type": "number", "minimum": -1, "maximum": 1}
_MOOD_LABEL = one_of("positive", "neutral", "negative")
_SEGMENT = id_schema("seg")


def _object(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_SENTIMENT = _object(
    {
        "overall": {
            **nullable(_MOOD),
            "description": "Of the whole call; -1 is the most negative. `overall`, `label` and "
            "`trend` are null if no segment can be scored.",
        },
        "label": one_of("positive", "neutral", "negative", None),
        "trend": one_of("improving", "stable", "declining", None),
        "segments": _array(_object({"id": _SEGMENT, "score": _MOOD, "label": _MOOD_LABEL})),
        "key_moments": _array(
            _object(
                {
                    "segment_id": _SEGMENT,
                    "type": one_of("positive_peak", "negative_peak", "turning_point"),
                    "description": _TEXT,
                }
            )
        ),
        "note": {
            **_TEXT,
            "description": "Present if segments are in languages without support: names them.",
        },
    },
    optional=("note",),
)

_SUMMARY = _object(
    {
        "brief": _TEXT,
        "key_points": _array(_TEXT),
        "key_point_segments": {
            **_array(_SEGMENT),
            "description": "The segments that the `key_points` are taken from, one for each.",
        },
        "outcome": one_of("resolved", "unresolved", "follow_up", "unknown"),
        "outcome_segment_id": {
            **nullable(_SEGMENT),
            "description": "The segment that shows the outcome. Null if it is unknown. "
            "Absent in the results of a language model.",
        },
        "note": {
            **_TEXT,
            "description": "Present if sentences are in another language than the requested one.",
        },
    },
    optional=("note", "outcome_segment_id"),
)

_ACTION_ITEM = _object(
    {
        "description": _TEXT,
        "assignee": one_of("agent", "customer", None),
        "due_date": {"type": ["string", "null"], "format": "date", "examples": ["2026-03-28"]},
        "priority": one_of("high", "medium", "low"),
        "segment_id": _SEGMENT,
    }
)

_TOPIC = _object(
    {
        "name": {**_TEXT, "examples": ["order_status"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    }
)

_WORDS_PER_MINUTE = {**nullable(_COUNT), "description": "Null if that party said nothing."}

_QUALITY = _object(
    {
        "score": {**nullable(_PERCENT), "description": "Null unless both parties speak."},
        "talk_ratio": {
            **_object({"agent": _PERCENT, "customer": _PERCENT}),
            "description": "Percent of all speech by each party.",
        },
        "interruptions": _COUNT,
        "average_response_time": {
            **nullable(_SECONDS),
            "description": "In seconds. Null if the agent answers nothing.",
        },
        "hold_time": _SECONDS,
        "dead_air_instances": _COUNT,
        "longest_monologue": {
            **_object(
                {
                    "speaker": one_of("agent", "customer", None),
                    "duration": _SECONDS,
                    "segment_id": nullable(_SEGMENT),
                }
            ),
            "description": "The longest time that one party speaks without the other. Its "
            "`speaker` and `segment_id` are null if nothing was said.",
        },
        "words_per_minute": _object({"agent": _WORDS_PER_MINUTE, "customer": _WORDS_PER_MINUTE}),
    }
)

_COMPLIANCE = _object(
    {
        "passed": {**_FLAG, "description": "Whether all checks passed."},
        "score": {**_PERCENT, "description": "Percent of the checks that passed."},
        "checks": _array(
            _object(
                {
                    "name": {**_TEXT, "examples": ["greeting"]},
                    "passed": _FLAG,
                    "segment_id": {
                        **nullable(_SEGMENT),
                        "description": "Where a phrase of the check was said. Null: nowhere.",
                    },
                    "detail": _TEXT,
                }
            )
        ),
    }
)

_RESULTS = {
    **_object(
        {
            "sentiment": ref("AnalysisSentiment"),
            "topics": _array(ref("AnalysisTopic")),
            "summary": ref("AnalysisSummary"),
            "action_items": _array(ref("AnalysisActionItem")),
            "quality": ref("AnalysisQuality"),
            "compliance": ref("AnalysisCompliance"),
        },
        optional=ANALYSIS_TYPES,
    ),
    "description": "Only the requested analyses, and none until the run is complete.",
}

_ANALYSIS = object_schema(
    "analysis",
    {
        "id": id_schema("ana"),
        "object": {"const": "analysis"},
        "session_id": id_schema("sess"),
        "status": one_of(*Analysis.Status.values),
        "analyses": _array(one_of(*ANALYSIS_TYPES)),
        "language": {**_TEXT, "examples": ["en"]},
        "engine": {
            **nullable(_TEXT),
            "description": "What made the results. Null until the run is complete.",
        },
        "error": {**nullable(_TEXT), "description": "Why the run failed. Null if it did not."},
        "created_at": MOMENT,
        "estimated_completion": nullable(MOMENT),
        "completed_at": nullable(MOMENT),
        "results": ref("AnalysisResults"),
    },
)

register_id("analysis_id", "ana")
register_component("Analysis", _ANALYSIS)
register_component("AnalysisResults", _RESULTS)
register_component("AnalysisSentiment", _SENTIMENT)
register_component("AnalysisTopic", _TOPIC)
register_component("AnalysisSummary", _SUMMARY)
register_component("AnalysisActionItem", _ACTION_ITEM)
register_component("AnalysisQuality", _QUALITY)
register_component("AnalysisCompliance", _COMPLIANCE)
