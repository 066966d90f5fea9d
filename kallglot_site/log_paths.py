"""Request paths without the secrets that some of them carry, for logs."""

import re
from typing import Any, Protocol

_PUBLIC_VALUE = re.compile(r"[a-z]{2,5}_[0-9A-HJKMNP-TV-Z]{26}|\d{1,12}")
"""Ids of objects. They are not secret: access needs a key or a sign-in."""
_WORD = re.compile(r"[a-z]{1,20}(?:[-_][a-z]{1,20})*|v1")
_NAMED_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class Match(Protocol):
    """The part of Django's ``ResolverMatch`` that is used here."""

    route: str
    kwargs: Any


def path_for_log(path: str, match: Match | None) -> str:
    """The route's pattern with the ids of objects filled in and other parameters as names.

    A path without a route keeps only its plain words and ids of objects.
    """
    if path.startswith("/static/"):
        return path
    route = match.route if match is not None else ""
    if match is None or route.endswith("/^"):
        return "/".join(map(_segment, path.split("/")))

    def value(parameter: "re.Match[str]") -> str:
        shown = str(match.kwargs.get(parameter[1], ""))
        return shown if _PUBLIC_VALUE.fullmatch(shown) else f"{{{parameter[1]}}}"

    pattern = _NAMED_GROUP.sub(r"<\1>", route).replace("^", "").replace("$", "")
    return "/" + _PARAMETER.sub(value, pattern)


def _segment(text: str) -> str:
    return text if not text or _PUBLIC_VALUE.fullmatch(text) or _WORD.fullmatch(text) else "…"
