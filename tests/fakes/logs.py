"""The log of this process as it would be printed, at DEBUG, and a secret to look for in it."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from kallglot_site.log_config import logging_configure

SECRET = "Secret4Log-9f8e7d6c5b4a"
"""Looks like nothing that the log's formatter removes by its form."""


@contextlib.contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """What is logged inside goes to the yielded buffer."""
    logging_configure({"level": "DEBUG", "format": "json"})
    buffer = io.StringIO()
    (handler,) = [h for h in logging.getLogger().handlers if h.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(buffer)
    try:
        yield buffer
    finally:
        logging_configure(settings.LOGGING)


def leaks(text: str, *secrets: str) -> list[str]:
    """The lines that hold ``SECRET`` or another secret."""
    return [line for line in text.splitlines() if any(each in line for each in (SECRET, *secrets))]


def routes(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    """Every URL pattern of the installation."""
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from routes(each, prefix + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield prefix + str(each.pattern)


def path_of(route: str, values: dict[str, Any] | None = None) -> str:
    """A path of the route. Parameters without a value are the secret; numbers are 7."""

    def value(parameter: "re.Match[str]") -> str:
        name, converter, other_name = parameter.groups()
        default = "7" if converter == "int:" else SECRET
        return str((values or {}).get(name or other_name, default))

    route = re.sub(r"\(\?P<(?:action|app_label)>(\w+)[^)]*\)", r"\1", route)
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)|<(\w+:)?(\w+)>", value, route)
    return "/" + route.replace("^", "").replace("$", "").replace("\\Z", "")
