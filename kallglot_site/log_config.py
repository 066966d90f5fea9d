"""How this installation logs: structlog and the standard library through one formatter.

Our code logs no speech, phone numbers, tokens, keys or secrets. The formatter also removes whatever
looks like one from each line, because a library's message or a traceback may contain one.
"""

import logging
import logging.config
import re
from collections.abc import Hashable
from typing import Any

import structlog
from django.http import HttpRequest
from structlog.typing import EventDict, Processor

from kallglot_site.log_paths import path_for_log

_REDACTED = "[redacted]"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b((?:sk|kst)_(?:live|test)_)[\w.:~+/=-]+"), rf"\1{_REDACTED}"),
    (re.compile(r"\b(whsec_)[\w+/=-]+"), rf"\1{_REDACTED}"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s'\",]+"), rf"\1{_REDACTED}"),
    # Credentials in an address: amqp://user:password@host
    (re.compile(r"(://[^\s:/@]*:)[^\s/@]+(@)"), rf"\1{_REDACTED}\2"),
    (
        re.compile(r"(?i)([?&](?:token|key|signature|x-amz-[a-z-]+)=)[^\s&'\"]+"),
        rf"\1{_REDACTED}",
    ),
    # Paths that contain a secret, Django's signed values, and password reset tokens.
    (re.compile(r"(/(?:invitation|password|join)/)[^\s'\"?#]+"), rf"\1{_REDACTED}"),
    (re.compile(r"\b[\w-]{8,}:[0-9A-Za-z]{6}:[\w-]{27,}"), _REDACTED),
    (re.compile(r"\b[0-9a-z]{6}-[0-9a-f]{32}\b"), _REDACTED),
    # E.164, also URL-encoded, and the usual ways to group a North American number.
    (re.compile(r"(?i)(?:\+|%2B)\d{8,15}\b"), _REDACTED),
    (re.compile(r"(?<![\w.-])\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}(?![\w-])"), _REDACTED),
)


def redact(line: str) -> str:
    """``line`` without anything that looks like a secret or a phone number."""
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Redacts the finished line: message, fields and traceback alike."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


# Loggers to which a server or library adds handlers. They are removed: ours are at the root.
_TAKEN_OVER = (
    "celery",
    "celery.redirected",
    "daphne",
    "django",
    "django.server",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)
# At INFO these log every URL called and every task received, which nobody needs.
_QUIET = (
    "httpx",
    "httpcore",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.consumer.connection",
    "celery.worker.request",
    "celery.worker.strategy",
    "axes",
    "daphne.server",
    "daphne.http_protocol",  # at DEBUG, the method as the client sent it
    "daphne.ws_protocol",
    "uvicorn.error",  # a line for every connection; the access log has one too
)
# The access log has a line for each refused request; Django's WARNING would repeat it.
_FAILURES_ONLY = ("django.request",)
# Scanners send unknown Host headers, which get a 400. A line without traceback is enough.
_WITHOUT_TRACEBACK = ("django.security.DisallowedHost",)


def logging_configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: takes ``{"level": "INFO", "format": "console" | "json"}``."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _without_attachments,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": RedactingFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *_rendering(options["format"]),
                    ],
                }
            },
            "filters": {
                "no_traceback": {"()": lambda: _without_traceback},
                "paths": {"()": lambda: _with_safe_path},
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "line",
                    "filters": ["paths"],
                }
            },
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                **{name: {"handlers": [], "propagate": True} for name in _TAKEN_OVER},
                **{name: {"level": max_level(options["level"], "WARNING")} for name in _QUIET},
                **{name: {"level": "ERROR"} for name in _FAILURES_ONLY},
                **{name: {"filters": ["no_traceback"]} for name in _WITHOUT_TRACEBACK},
            },
        }
    )


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


def _with_safe_path(record: logging.LogRecord) -> bool:
    """Remove secrets from the path that Django's message of a failed request contains."""
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
        safe = path_for_log(request.path, getattr(request, "resolver_match", None))
        paths = {request.path, request.get_full_path()}
        record.args = tuple(safe if arg in paths else arg for arg in map(_hashable, record.args))
    return True


def _hashable(value: Any) -> Any:
    return value if isinstance(value, Hashable) else str(value)


def _without_attachments(logger: Any, method: str, event: EventDict) -> EventDict:
    """Drop what servers attach to log records.

    Django attaches the request, which prints with its query string. Uvicorn attaches its message
    again with terminal colours.
    """
    event.pop("request", None)
    event.pop("color_message", None)
    return event


def max_level(one: str, other: str) -> str:
    """The stricter of two level names."""
    levels = logging.getLevelNamesMapping()
    return max(one, other, key=levels.__getitem__)


def _rendering(format: str) -> list[Processor]:
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Not the renderer's own tracebacks: they print local variables, which may contain speech.
    return [
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    ]
