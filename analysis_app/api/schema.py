"""Analyses in the OpenAPI schema."""

from typing import Any

from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.models import Analysis
from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    register_component,
    register_id,
)

REQUEST_EXAMPLE: dict[str, Any] = {"analyses": ["summary", "sentiment"], "language": "en"}

_ANALYSIS = object_schema(
    "analysis",
    {
        "id": id_schema("ana"),
        "object": {"const": "analysis"},
        "session_id": id_schema("sess"),
        "status": {"enum": list(Analysis.Status.values)},
        "analyses": {"type": "array", "items": {"enum": list(ANALYSIS_TYPES)}},
        "language": {"type": ["string", "null"]},
        "engine": {"type": ["string", "null"]},
        "error": {"type": ["object", "string", "null"]},
        "created_at": MOMENT,
        "estimated_completion": nullable(MOMENT),
        "completed_at": nullable(MOMENT),
        "results": {
            "type": ["object", "null"],
            "description": "Only the requested analyses, once the run is complete.",
            "properties": {name: {"type": ["object", "array"]} for name in ANALYSIS_TYPES},
        },
    },
)

register_id("analysis_id", "ana")
register_component("Analysis", _ANALYSIS)
