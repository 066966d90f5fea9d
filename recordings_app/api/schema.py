"""Recordings in the OpenAPI schema."""

from typing import Any

from kallglot_site.api.operations import (
    MOMENT,
    Answer,
    header,
    id_schema,
    nullable,
    object_schema,
    one_of,
    register_component,
    register_id,
)
from recordings_app.media.formats import CONTENT_TYPES, FORMATS
from recordings_app.models import Recording

_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}

_RECORDING = object_schema(
    "recording",
    {
        "id": id_schema("rec"),
        "object": {"const": "recording"},
        "session_id": id_schema("sess"),
        "channel": one_of(*Recording.Channel.values),
        "status": one_of(*Recording.Status.values),
        "duration": {"type": "number", "minimum": 0, "description": "In seconds."},
        "format": one_of(*FORMATS),
        "size": {**_COUNT, "description": "In bytes; 0 until it is ready."},
        "sample_rate": {**_COUNT, "description": "In hertz."},
        "bit_depth": {**_COUNT, "description": "Bits per sample, once decoded."},
        "download_url": {
            **nullable({"type": "string"}),
            "description": "Null once the audio is deleted or past its retention.",
        },
        "created_at": MOMENT,
        "expires_at": MOMENT,
    },
)

AUDIO = tuple(CONTENT_TYPES.values())

ABOUT_FILE: dict[str, Any] = {
    "ETag": header("Identifies the content of the file."),
    "Accept-Ranges": header("`Range` is supported.", {"const": "bytes"}),
    "Content-Disposition": header(
        "The name to save the file as.",
        {
            "type": "string",
            "examples": ['attachment; filename="recording-sess_01KD3M8Q2Z6V4T9X5R7W1Y0ABC.mp3"'],
        },
    ),
    "Cache-Control": header("`private`: only the client may keep it."),
}
AUDIO_HEADERS: dict[str, Any] = {
    **ABOUT_FILE,
    "Content-Length": header("In bytes.", _COUNT),
}

PROCESSING = Answer(
    "The file is still being made: try again after the seconds in `Retry-After`. The recording "
    "itself may be `ready` already, and only the wanted format or sample rate not.",
    "Recording",
    headers={"Retry-After": header("Seconds to wait before trying again.", {"type": "integer"})},
)
PARTIAL_AUDIO = Answer(
    "The part that `Range` asked for; `multipart/byteranges` if it asked for several.",
    media=(*AUDIO, "multipart/byteranges"),
    headers={
        **AUDIO_HEADERS,
        "Content-Range": header(
            "Which part it is, and the size of the file. With several parts, each has its own.",
            {"type": "string", "examples": ["bytes 0-65535/2943600"]},
            required=False,
        ),
    },
)
UNCHANGED = Answer("The file is the one that `If-None-Match` names.", headers=ABOUT_FILE)
BEYOND_THE_END = Answer(
    "The range lies beyond the end. The answer has no body.",
    headers={
        **ABOUT_FILE,
        "Content-Range": header(
            "The size of the file.", {"type": "string", "examples": ["bytes */2943600"]}
        ),
    },
)

register_id("recording_id", "rec")
register_component("Recording", _RECORDING)
