"""Hooks of the schemathesis command (SCHEMATHESIS_HOOKS), for rules that OpenAPI cannot express.

Each hook changes generated requests that the API would rightly refuse.
"""

import uuid
from typing import Any

import schemathesis
from schemathesis import GenerationMode

RECEIVER = "http://127.0.0.1:9/hook"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    _freshen_key(case)
    if case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE:
        _choose_one_cursor(case)
        _reachable_receiver(case)
        _served_languages(case)
        _distinct_tools(case)
        _text_document(case)


def _freshen_key(case: Any) -> None:
    """Use each Idempotency-Key once: generated ones repeat with different requests."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 1 <= len(key) <= 255 and key.isascii() and key.isprintable():
        case.headers["Idempotency-Key"] = uuid.uuid4().hex


def _choose_one_cursor(case: Any) -> None:
    """Send one cursor: each is valid, both together are not."""
    query = case.query or {}
    if "starting_after" in query and "ending_before" in query:
        del query["ending_before"]


def _served_languages(case: Any) -> None:
    """Use languages that are sure to be served, and no voices: both depend on the engines."""
    if not isinstance(case.body, dict):
        return
    if "translation" in str(case.body.get("mode")):
        case.body.update(source_language="es", target_language="en")
    if case.path.endswith("/translate"):
        case.body["language"] = "es"
    for settings, name in (("translation", "voice"), ("transcription", "languages")):
        if isinstance(given := case.body.get(settings), dict):
            given.pop(name, None)


def _reachable_receiver(case: Any) -> None:
    """Use a receiver's URL that is accepted: generated names do not resolve."""
    if not isinstance(case.body, dict):
        return
    tools = case.body.get("tools")
    for holder in (case.body, *(tools if isinstance(tools, list) else ())):
        for name in ("url", "webhook_url"):
            if isinstance(holder, dict) and isinstance(holder.get(name), str):
                holder[name] = RECEIVER


def _distinct_tools(case: Any) -> None:
    """Name the tools of an agent differently, and none like a built-in one."""
    tools = case.body.get("tools") if isinstance(case.body, dict) else None
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            tool["name"] = f"tool_{number}"


def _text_document(case: Any) -> None:
    """Send documents as JSON: generated files have names of no format that is read."""
    if case.media_type == "multipart/form-data":
        case.media_type = "application/json"
        case.body = {"title": "Delivery", "text": "Orders arrive within three days."}
