"""JSON Schemas (draft 2020-12) of every event type, as ``GET /v1/event_types`` serves them.

Receivers may validate with them: they promise what is there and allow more, because additions to
v1 are free. Tests hold them against the payloads that the apps really write.
"""

from typing import Any

from webhooks_app.event_types import CATALOG, EventType
from webhooks_app.payloads import API_VERSION

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_SECONDS: Schema = {"type": "number", "minimum": 0}
_MOMENT: Schema = {"type": "string", "format": "date-time", "pattern": "Z$"}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(*values: str | None) -> Schema:
    return {"enum": list(values)}


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_SESSION = _object(
    {
        "id": _STRING,
        "object": {"const": "session"},
        "environment": _one_of("live", "test"),
        "status": _one_of("created", "active", "ended"),
        "mode": _one_of(
            "transcription",
            "bidirectional_translation",
            "assistive_translation",
            "ai_agent",
            "help_chat_voice",
        ),
        "source_language": _nullable(_STRING),
        "target_language": _nullable(_STRING),
        "provider": _object(
            {
                "type": _STRING,
                "phone_number": _nullable(_STRING),
                "call_sid": _nullable(_STRING),
                "status": _one_of("pending", "connected", "disconnected"),
            }
        ),
        "recording": _object({"enabled": _FLAG, "channels": _one_of("mixed", "dual")}),
        "transcription": _object(
            {"partials": _FLAG, "vocabulary": _array(_STRING), "languages": _array(_STRING)}
        ),
        "translation": _object(
            {
                "barge_in": _FLAG,
                "original_volume": {"type": "number", "minimum": 0, "maximum": 1},
                "voice": _object({"agent": _nullable(_STRING), "customer": _nullable(_STRING)}),
                "glossary": {"type": "object", "additionalProperties": _STRING},
                "subtitles": _FLAG,
            }
        ),
        "transcript": _object({"available": _FLAG, "word_count": _COUNT}),
        "duration": _SECONDS,
        "metadata": {"type": "object", "additionalProperties": _STRING},
        "created_at": _MOMENT,
        "started_at": _nullable(_MOMENT),
        "ended_at": _nullable(_MOMENT),
        "end_reason": _one_of(
            "completed", "customer_hangup", "agent_hangup", "error", "timeout", None
        ),
    }
)
_SEGMENT = _object(
    {
        "id": _STRING,
        "speaker": _one_of("agent", "customer"),
        "language": _STRING,
        "text": _STRING,
        "translation": _nullable(_STRING),
        "start_time": _SECONDS,
        "end_time": _SECONDS,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "source": _one_of("human", "ai"),
        "interrupted": _FLAG,
        "session_id": _STRING,
    }
)
_TRANSCRIPT = _object(
    {
        "object": {"const": "transcript"},
        "session_id": _STRING,
        "status": _one_of("in_progress", "complete"),
        "language": _object({"source": _nullable(_STRING), "target": _nullable(_STRING)}),
        "duration": _SECONDS,
        "word_count": _COUNT,
    }
)
_RECORDING = _object(
    {
        "id": _STRING,
        "object": {"const": "recording"},
        "session_id": _STRING,
        "channel": _one_of("mixed", "agent", "customer"),
        "status": _one_of("processing", "ready", "failed", "deleted"),
        "duration": _SECONDS,
        "format": _one_of("mp3", "wav", "ogg"),
        "size": _COUNT,
        "sample_rate": _COUNT,
        "bit_depth": _COUNT,
        "download_url": _nullable(_STRING),
        "created_at": _MOMENT,
        "expires_at": _MOMENT,
    }
)
_MOOD = _one_of("positive", "neutral", "negative")
_SHARES = _object({"agent": _COUNT, "customer": _COUNT})
_RESULTS = _object(
    {
        "sentiment": _object(
            {
                "overall": _NUMBER,
                "label": _MOOD,
                "trend": _one_of("improving", "stable", "declining"),
                "segments": _array(_object({"id": _STRING, "score": _NUMBER, "label": _MOOD})),
                "key_moments": _array(
                    _object(
                        {
                            "segment_id": _STRING,
                            "type": _one_of("positive_peak", "negative_peak", "turning_point"),
                            "description": _STRING,
                        }
                    )
                ),
            }
        ),
        "summary": _object(
            {
                "brief": _STRING,
                "key_points": _array(_STRING),
                "key_point_segments": _array(_STRING),
                "outcome": _one_of("resolved", "unresolved", "follow_up", "unknown"),
                "outcome_segment_id": _nullable(_STRING),
                "note": _STRING,
            },
            optional=("note", "outcome_segment_id"),
        ),
        "action_items": _array(
            _object(
                {
                    "description": _STRING,
                    "assignee": _one_of("agent", "customer", None),
                    "due_date": _nullable(_STRING),
                    "priority": _one_of("high", "medium", "low"),
                    "segment_id": _STRING,
                }
            )
        ),
        "topics": _array(_object({"name": _STRING, "confidence": _NUMBER})),
        "quality": _object(
            {
                "score": _COUNT,
                "talk_ratio": _SHARES,
                "interruptions": _COUNT,
                "average_response_time": _SECONDS,
                "hold_time": _SECONDS,
                "dead_air_instances": _COUNT,
                "longest_monologue": _object(
                    {
                        "speaker": _one_of("agent", "customer", None),
                        "duration": _SECONDS,
                        "segment_id": _nullable(_STRING),
                    }
                ),
                "words_per_minute": _object(
                    {"agent": _nullable(_COUNT), "customer": _nullable(_COUNT)}
                ),
            }
        ),
        "compliance": _object(
            {
                "passed": _FLAG,
                "score": _COUNT,
                "checks": _array(
                    _object(
                        {
                            "name": _STRING,
                            "passed": _FLAG,
                            "segment_id": _nullable(_STRING),
                            "detail": _STRING,
                        }
                    )
                ),
            }
        ),
    },
    optional=("sentiment", "summary", "action_items", "topics", "quality", "compliance"),
)
_ANALYSIS = _object(
    {
        "id": _STRING,
        "object": {"const": "analysis"},
        "session_id": _STRING,
        "status": _one_of("queued", "processing", "complete", "failed"),
        "analyses": _array(_STRING),
        "language": _STRING,
        "engine": _nullable(_STRING),
        "error": _nullable(_STRING),
        "created_at": _MOMENT,
        "estimated_completion": _nullable(_MOMENT),
        "completed_at": _nullable(_MOMENT),
        "results": _RESULTS,
    }
)
_ENDPOINT = _object(
    {
        "id": _STRING,
        "object": {"const": "webhook_endpoint"},
        "url": _STRING,
        "events": _array(_STRING),
        "description": _STRING,
    }
)
# What is left of a payload once its session was erased (only in GET /v1/events).
_ERASED = _object({"id": _STRING, "object": {"const": "session"}, "erased": {"const": True}})

_CARRIED: dict[str, Schema] = {
    "session": _SESSION,
    "segment": _SEGMENT,
    "transcript": _TRANSCRIPT,
    "recording": _RECORDING,
    "analysis": _ANALYSIS,
    "webhook_endpoint": _ENDPOINT,
}


def event_schema(kind: EventType) -> Schema:
    """The schema of a whole event of that type, as delivered."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.name,
        "description": kind.description,
        **_object(
            {
                "id": _STRING,
                "object": {"const": "webhook_event"},
                "type": {"const": kind.name},
                "api_version": {"const": API_VERSION},
                "created_at": _MOMENT,
                "data": {"anyOf": [_CARRIED[kind.carries], _ERASED]},
            }
        ),
    }


EVENT_SCHEMAS: dict[str, Schema] = {name: event_schema(kind) for name, kind in CATALOG.items()}
