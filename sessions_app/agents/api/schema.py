"""Agents and knowledge bases in the OpenAPI schema."""

from typing import Any, Final

from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    one_of,
    register_component,
    register_id,
)
from sessions_app.agents.models import Document

_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = nullable(_TEXT)
_METADATA: dict[str, Any] = {"type": "object", "additionalProperties": _TEXT}

AGENT_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Order desk",
    "greeting": "Hello, this is the order desk. How can I help?",
    "system_prompt": "You answer questions about orders. Be brief and friendly.",
    "tools": [
        {
            "name": "order_status",
            "description": "Where an order is now.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string"}},
                "required": ["number"],
            },
            "filler": "One moment, I am looking it up.",
        }
    ],
}
DOCUMENT_EXAMPLE: Final[dict[str, Any]] = {
    "title": "Delivery",
    "text": "# How long does delivery take?\n\nOrders arrive within three working days.",
}
UPLOAD_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "`.txt`, `.md`, `.html`, `.pdf` or `.docx`; at most 10 MB.",
        },
        "title": {
            "type": "string",
            "minLength": 1,
            "maxLength": 300,
            "description": "By default the name of the file.",
        },
    },
    "additionalProperties": False,
}


def _fields(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_TOOL = _fields(
    name=_TEXT,
    description=_TEXT,
    parameters={
        "type": "object",
        "additionalProperties": True,
        "description": "A JSON Schema of the arguments.",
    },
    url={**_MAYBE_TEXT, "description": "Null: the session's connections are asked."},
    timeout_s={"type": "number", "minimum": 1, "maximum": 30},
    filler={**_MAYBE_TEXT, "description": "Spoken after a second of waiting."},
)

_AGENT = object_schema(
    "agent",
    {
        "id": id_schema("agt"),
        "object": {"const": "agent"},
        "name": _TEXT,
        "system_prompt": _TEXT,
        "greeting": _MAYBE_TEXT,
        "language": _MAYBE_TEXT,
        "voice": _MAYBE_TEXT,
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "max_response_tokens": {"type": "integer", "minimum": 1},
        "knowledge_base_id": nullable(id_schema("kb")),
        "tools": {"type": "array", "items": _TOOL},
        "transfer": _fields(enabled={"type": "boolean"}, message=_MAYBE_TEXT),
        "silence": _fields(
            after_s={"type": "number"}, say=_MAYBE_TEXT, end_after={"type": "integer"}
        ),
        "max_duration_s": {"type": "integer", "minimum": 10},
        "metadata": _METADATA,
        "created_at": MOMENT,
    },
)

_KNOWLEDGE_BASE = object_schema(
    "knowledge_base",
    {
        "id": id_schema("kb"),
        "object": {"const": "knowledge_base"},
        "name": _TEXT,
        "description": _TEXT,
        "metadata": _METADATA,
        "created_at": MOMENT,
    },
)

_DOCUMENT = object_schema(
    "document",
    {
        "id": id_schema("doc"),
        "object": {"const": "document"},
        "knowledge_base_id": id_schema("kb"),
        "title": _TEXT,
        "format": {**_TEXT, "examples": ["md", "pdf"]},
        "size": {"type": "integer", "minimum": 0, "description": "Bytes."},
        "status": one_of(*Document.Status.values),
        "error": {**_MAYBE_TEXT, "description": "Why it failed."},
        "passages": {"type": "integer", "minimum": 0, "description": "Parts that can be found."},
        "created_at": MOMENT,
    },
)

_PASSAGE = object_schema(
    "passage",
    {
        "object": {"const": "passage"},
        "document_id": id_schema("doc"),
        "title": {**_TEXT, "description": "The document's."},
        "heading": {**_MAYBE_TEXT, "description": "The heading that it stands under."},
        "text": _TEXT,
        "score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "1: first by words and by meaning. It compares passages of one search.",
        },
    },
)

register_id("agent_id", "agt")
register_id("knowledge_base_id", "kb")
register_id("document_id", "doc")
register_component("Agent", _AGENT)
register_component("KnowledgeBase", _KNOWLEDGE_BASE)
register_component("Document", _DOCUMENT)
register_component("Passage", _PASSAGE)
