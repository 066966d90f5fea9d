"""Sessions in the OpenAPI schema."""

from typing import Any

from kallglot_site.accounts.models import Environment
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
from sessions_app.models import Segment, Session, TranscriptTranslation

_TEXT: dict[str, Any] = {"type": "string"}
_SECONDS: dict[str, Any] = {"type": "number", "minimum": 0, "description": "In seconds."}
_LANGUAGE: dict[str, Any] = {"type": ["string", "null"], "examples": ["es", "es-MX"]}

SESSION_EXAMPLE: dict[str, Any] = {
    "id": "sess_01KD3M8Q2Z6V4T9X5R7W1Y0ABC",
    "object": "session",
    "environment": "live",
    "status": "created",
    "mode": "transcription",
    "source_language": "es",
    "target_language": None,
    "stream": {
        "url": "wss://stream.kallglot.com/v1/sessions/sess_01KD3M8Q2Z6V4T9X5R7W1Y0ABC/connect",
        "token": "kst_live_…",
        "expires_at": "2026-03-01T12:05:00Z",
    },
    "provider": {
        "type": "websocket",
        "phone_number": None,
        "call_sid": None,
        "status": "pending",
    },
    "recording": {"enabled": True, "channels": "dual"},
    "transcription": {"partials": True, "vocabulary": ["Kallglot"], "languages": ["es", "en"]},
    "translation": {
        "barge_in": True,
        "original_volume": 0.0,
        "voice": {"agent": None, "customer": None},
        "glossary": {},
        "subtitles": True,
    },
    "transcript": {"available": False, "word_count": 0},
    "duration": 0.0,
    "metadata": {"ticket": "4711"},
    "created_at": "2026-03-01T12:00:00Z",
    "started_at": None,
    "ended_at": None,
    "end_reason": None,
}

CREATE_EXAMPLE: dict[str, Any] = {
    "mode": "transcription",
    "source_language": "es",
    "recording": {"enabled": True, "channels": "dual"},
    "metadata": {"ticket": "4711"},
}

_STREAM = {
    "type": "object",
    "required": ["url", "token", "expires_at"],
    "description": "Where to connect. Absent once the session has ended, in lists and in events.",
    "properties": {
        "url": _TEXT,
        "token": {
            **nullable(_TEXT),
            "description": "New with every retrieval; null for keys without `sessions:write`.",
        },
        "expires_at": nullable(MOMENT),
    },
}

_SESSION = object_schema(
    "session",
    {
        "id": id_schema("sess"),
        "object": {"const": "session"},
        "environment": one_of(*Environment.values),
        "status": one_of(*Session.Status.values),
        "mode": one_of(*Session.Mode.values),
        "source_language": {
            **_LANGUAGE,
            "description": "The language of the customer. Null: detected.",
        },
        "target_language": {
            **_LANGUAGE,
            "description": "The language of the agent. Null: detected.",
        },
        "provider": {
            "type": "object",
            "required": ["type", "phone_number", "call_sid", "status"],
            "properties": {
                "type": _TEXT,
                "phone_number": nullable(_TEXT),
                "call_sid": nullable(_TEXT),
                "status": one_of("pending", "connected", "disconnected"),
            },
        },
        "recording": {
            "type": "object",
            "required": ["enabled", "channels"],
            "properties": {
                "enabled": {"type": "boolean"},
                "channels": one_of(*Session.Channels.values),
            },
        },
        "transcription": {
            "type": "object",
            "required": ["partials", "vocabulary", "languages"],
            "properties": {
                "partials": {"type": "boolean"},
                "vocabulary": {"type": "array", "items": _TEXT},
                "languages": {"type": "array", "items": _TEXT},
            },
        },
        "translation": {
            "type": "object",
            "required": ["barge_in", "original_volume", "voice", "glossary", "subtitles"],
            "properties": {
                "barge_in": {"type": "boolean"},
                "original_volume": {"type": "number", "minimum": 0, "maximum": 1},
                "voice": {
                    "type": "object",
                    "required": ["agent", "customer"],
                    "properties": {"agent": nullable(_TEXT), "customer": nullable(_TEXT)},
                },
                "glossary": {"type": "object", "additionalProperties": _TEXT},
                "subtitles": {"type": "boolean"},
            },
        },
        "transcript": {
            "type": "object",
            "required": ["available", "word_count"],
            "properties": {
                "available": {"type": "boolean"},
                "word_count": {"type": "integer", "minimum": 0},
            },
        },
        "duration": {**_SECONDS, "description": "The end of the latest audio, in seconds."},
        "metadata": {"type": "object", "additionalProperties": _TEXT},
        "created_at": MOMENT,
        "started_at": nullable(MOMENT),
        "ended_at": nullable(MOMENT),
        "end_reason": one_of(*Session.EndReason.values, None),
    },
)
_SESSION["properties"]["stream"] = _STREAM

_SEGMENT: dict[str, Any] = {
    "type": "object",
    "required": [
        "id",
        "speaker",
        "language",
        "text",
        "translation",
        "start_time",
        "end_time",
        "confidence",
        "source",
        "interrupted",
    ],
    "properties": {
        "id": id_schema("seg"),
        "speaker": one_of("customer", "agent"),
        "language": _TEXT,
        "text": _TEXT,
        "translation": nullable(_TEXT),
        "start_time": _SECONDS,
        "end_time": _SECONDS,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "source": {
            **one_of(*Segment.Source.values),
            "description": "Who spoke: a person or an AI.",
        },
        "interrupted": {
            "type": "boolean",
            "description": "Whether the listener interrupted the speech that was made of it.",
        },
    },
}

_SEGMENT_WITH_SESSION = {
    "type": "object",
    "description": "A segment as `transcript.segment` and `translation.segment` carry it.",
    "required": [*_SEGMENT["required"], "session_id"],
    "properties": {**_SEGMENT["properties"], "session_id": id_schema("sess")},
}

_TRANSCRIPT_PROPERTIES: dict[str, Any] = {
    "object": {"const": "transcript"},
    "session_id": id_schema("sess"),
    "status": one_of(*Session.TranscriptStatus.values),
    "language": {
        "type": "object",
        "required": ["source", "target"],
        "properties": {"source": _LANGUAGE, "target": _LANGUAGE},
    },
    "duration": _SECONDS,
    "word_count": {"type": "integer", "minimum": 0},
}
_TRANSCRIPT = object_schema(
    "transcript",
    {**_TRANSCRIPT_PROPERTIES, "segments": {"type": "array", "items": ref("Segment")}},
)
_WITHOUT_SEGMENTS = object_schema(
    "transcript",
    _TRANSCRIPT_PROPERTIES,
    description="A transcript without its segments, as `transcript.ready` carries it.",
)

_TRANSCRIPT["properties"]["translation"] = {
    **ref("TranscriptTranslation"),
    "description": "Only with `?language=`: whether all segments have their `translation` yet.",
}

_TRANSCRIPT_TRANSLATION = object_schema(
    "transcript_translation",
    {
        "id": id_schema("trn"),
        "object": {"const": "transcript_translation"},
        "session_id": id_schema("sess"),
        "language": {**_TEXT, "description": "ISO 639-1.", "examples": ["de"]},
        "status": one_of(*TranscriptTranslation.Status.values),
        "error": {**nullable(_TEXT), "description": "Why it failed."},
        "created_at": MOMENT,
        "completed_at": nullable(MOMENT),
    },
)

_LANGUAGE_OBJECT = object_schema(
    "language",
    {
        "id": {**_TEXT, "description": "ISO 639-1.", "examples": ["es"]},
        "object": {"const": "language"},
        "name": _TEXT,
        "transcription": {"type": "boolean", "description": "Whether it can be transcribed."},
        "speech": {"type": "boolean", "description": "Whether it can be synthesized."},
        "translates_to": {"type": "array", "items": _TEXT},
        "via": {
            "type": "object",
            "additionalProperties": _TEXT,
            "description": "For targets that are not translated into directly: the third language.",
            "examples": [{"fr": "en"}],
        },
    },
)

_VOICE = object_schema(
    "voice",
    {
        "id": {
            **_TEXT,
            "description": "What `translation.voice` of a session takes.",
            "examples": ["en_US-joe-medium"],
        },
        "object": {"const": "voice"},
        "language": {
            **_TEXT,
            "description": "ISO 639-1, with a region if the voice has one.",
            "examples": ["en-US", "es"],
        },
        "engine": {**_TEXT, "examples": ["piper"]},
    },
)

register_id("session_id", "sess")
register_component("Session", _SESSION)
register_component("Segment", _SEGMENT)
register_component("SegmentWithSession", _SEGMENT_WITH_SESSION)
register_component("Transcript", _TRANSCRIPT)
register_component("TranscriptTranslation", _TRANSCRIPT_TRANSLATION)
register_component("TranscriptWithoutSegments", _WITHOUT_SEGMENTS)
register_component("Language", _LANGUAGE_OBJECT)
register_component("Voice", _VOICE)
