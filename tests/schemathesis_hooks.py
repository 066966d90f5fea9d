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
    """Have languages translated that are sure to be: which ones are depends on the engines."""
    if not isinstance(case.body, dict):
        return
    if "translation" in str(case.body.get("mode")):
        case.body.update(source_language="es", target_language="en")
    if case.path.endswith("/translate"):
        case.body["language"] = "es"


def _reachable_receiver(case: Any) -> None:
    """Use a receiver's URL that is accepted: generated names do not resolve."""
    for name in ("url", "webhook_url"):
        if isinstance(case.body, dict) and isinstance(case.body.get(name), str):
            case.body[name] = RECEIVER
