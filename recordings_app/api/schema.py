"""Recordings in the OpenAPI schema."""

from kallglot_site.api.operations import (
    MOMENT,
    id_schema,
    nullable,
    object_schema,
    register_component,
    register_id,
)
from recordings_app.models import Recording

_RECORDING = object_schema(
    "recording",
    {
        "id": id_schema("rec"),
        "object": {"const": "recording"},
        "session_id": id_schema("sess"),
        "channel": {"enum": list(Recording.Channel.values)},
        "status": {"enum": list(Recording.Status.values)},
        "duration": {"type": "number", "minimum": 0, "description": "In seconds."},
        "format": {"type": "string", "examples": ["mp3"]},
        "size": {"type": ["integer", "null"], "minimum": 0, "description": "In bytes."},
        "sample_rate": {"type": ["integer", "null"], "description": "In hertz."},
        "bit_depth": {"type": ["integer", "null"]},
        "download_url": {
            "type": ["string", "null"],
            "description": "Null once the audio is deleted or past its retention.",
        },
        "created_at": MOMENT,
        "expires_at": nullable(MOMENT),
    },
)

register_id("recording_id", "rec")
register_component("Recording", _RECORDING)
