"""An agent's limits, and what holds for the fields that are left out.

Stored agents hold only what was given, so that a default that improves reaches them too.
"""

from collections.abc import Mapping
from typing import Any, Final

MAX_NAME: Final = 200
MAX_PROMPT: Final = 16_000
MAX_SPOKEN: Final = 1000
"""Characters of a text that is spoken: greeting, prompt on silence, message before a transfer."""
MAX_VOICE: Final = 64
MAX_TOOLS: Final = 32
MAX_PARAMETERS: Final = 16_384
"""Bytes of the JSON Schema of a tool's arguments."""

BUILT_IN_TOOLS: Final = ("end_call", "transfer_to_human")

NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


def tool_settings(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool with all its fields. ``timeout_s`` is in seconds."""
    return {
        "name": tool["name"],
        "description": tool.get("description", ""),
        "parameters": tool.get("parameters", dict(NO_PARAMETERS)),
        "url": tool.get("url"),
        "timeout_s": tool.get("timeout_s", 10.0),
        "filler": tool.get("filler"),
    }


def transfer_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a caller may be handed over to a person, and what is said before."""
    return {"enabled": given.get("enabled", True), "message": given.get("message")}


def silence_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """``say`` after ``after_s`` seconds of silence; the call ends after ``end_after`` prompts.

    ``say`` null: a question in the caller's language.
    """
    return {
        "after_s": given.get("after_s", 10.0),
        "say": given.get("say"),
        "end_after": given.get("end_after", 3),
    }
