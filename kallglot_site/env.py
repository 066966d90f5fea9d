"""Every setting of an installation, declared once: name, type, default and what it is for.

``settings.py`` reads them, ``manage.py settings --markdown`` prints ``docs/configuration.md`` from
them, and a wrong value stops the start with all faults listed at once.
"""

import ipaddress
import os
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("use true or false")


def positive_integer(value: str) -> int:
    number = int(value) if value.isascii() and value.isdigit() else 0
    if number < 1:
        raise ValueError("use a whole number from 1 up")
    return number


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError("use a number of seconds above 0")
    return number


def comma_list(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def web_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ValueError("use a URL such as https://api.example.com")
    return value.rstrip("/")


def websocket_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in {"ws", "wss"} or not urlsplit(value).hostname):
        raise ValueError("use a URL such as wss://stream.example.com")
    return value.rstrip("/")


def _url_of(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value and not (urlsplit(value).scheme in schemes and "://" in value):
            raise ValueError(f"use a URL that begins with {', '.join(f'{s}://' for s in schemes)}")
        return value

    parse.__name__ = "url"
    return parse


database_url = _url_of("postgres", "postgresql", "sqlite")
redis_url = _url_of("redis", "rediss", "unix")
broker_url = _url_of("redis", "rediss", "amqp", "amqps", "filesystem")
storage_url = _url_of("file", "s3")


def time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("use an IANA time zone such as Europe/Berlin") from None
    return value


def networks(value: str) -> list[str]:
    parts = comma_list(value)
    for part in parts:
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise ValueError(f"{part} is no address or network such as 10.0.0.0/8") from None
    return parts


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"use one of: {', '.join(allowed)}")
        return value

    parse.__name__ = " or ".join(f"`{choice}`" for choice in allowed)
    return parse


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. ``default`` is written as it would stand in the environment."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str
    section: str
    secret: bool = False

    @property
    def kind(self) -> str:
        """The parser's name, for people: ``text``, ``seconds``, ``comma list``."""
        return self.parse.__name__.replace("_", " ").replace("url", "URL")


SECTIONS = ("General", "Storage and services", "Engines", "Streaming", "Webhooks", "Retention")


def _setting(section: str, secret: bool = False) -> Callable[..., Setting]:
    def declare(name: str, parse: Callable[[str], Any], default: str, help: str) -> Setting:
        return Setting(name, parse, default, help, section, secret)

    return declare


_general = _setting("General")
_services = _setting("Storage and services")
_engines = _setting("Engines")
_streaming = _setting("Streaming")
_webhooks = _setting("Webhooks")
_retention = _setting("Retention")

SETTINGS: tuple[Setting, ...] = (
    _general(
        "KALLGLOT_ENVIRONMENT",
        one_of("development", "production"),
        "development",
        "`production` demands HTTPS, a public URL and, with a database server, a secret key.",
    ),
    _general("KALLGLOT_DATA_DIR", text, "./data", "Where all local state lives."),
    Setting(
        "KALLGLOT_SECRET_KEY",
        text,
        "",
        "Signs tokens and encrypts secrets. Empty: generated once into the data directory. "
        "Set the same one on every machine of an installation.",
        "General",
        secret=True,
    ),
    Setting(
        "KALLGLOT_SECRET_KEY_FALLBACKS",
        comma_list,
        "",
        "Earlier secret keys, still accepted while rotating.",
        "General",
        secret=True,
    ),
    _general("KALLGLOT_DEBUG", boolean, "false", "Django's debug pages. Never in production."),
    _general(
        "KALLGLOT_PUBLIC_URL",
        web_url,
        "",
        "What responses print for REST and the dashboard. Empty: taken from the request.",
    ),
    _general(
        "KALLGLOT_STREAM_URL",
        websocket_url,
        "",
        "What responses print for the WebSocket. Empty: the public URL with ws or wss.",
    ),
    _general(
        "KALLGLOT_ALLOWED_HOSTS",
        comma_list,
        "",
        "Host names served. Empty: localhost and the public URL's host.",
    ),
    _general(
        "KALLGLOT_TRUSTED_PROXIES",
        networks,
        "",
        "Addresses or networks of reverse proxies whose X-Forwarded-For and -Proto are believed.",
    ),
    _general(
        "KALLGLOT_SIGN_IN_FAILURES_PER_ADDRESS",
        positive_integer,
        "100",
        "Wrong passwords within a quarter of an hour from which on an address may not sign in.",
    ),
    _general(
        "KALLGLOT_TIME_ZONE",
        time_zone,
        "UTC",
        "The dashboard's zone until the browser says its own.",
    ),
    _general(
        "KALLGLOT_LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
        "Least level logged.",
    ),
    Setting(
        "KALLGLOT_METRICS_TOKEN",
        text,
        "",
        "Bearer token for `/metrics`. Empty: only callers on the same machine are answered.",
        "General",
        secret=True,
    ),
    Setting(
        "KALLGLOT_API_KEY",
        text,
        "",
        "What `manage.py call` sends. The server itself does not use it.",
        "General",
        secret=True,
    ),
    _general("KALLGLOT_LOG_FORMAT", one_of("console", "json"), "console", "How logs are written."),
    _services(
        "DATABASE_URL",
        database_url,
        "",
        "`postgres://user:password@host/name` or `sqlite:///path`. "
        "Empty: SQLite in the data directory.",
    ),
    _services(
        "REDIS_URL",
        redis_url,
        "",
        "Channel layer and rate limits across processes, `redis://host:6379/0`. Empty: in memory.",
    ),
    _services(
        "KALLGLOT_REDIS_PREFIX",
        text,
        "kallglot",
        "Begins every name in Redis: installations that share one must differ in it.",
    ),
    _services(
        "CELERY_BROKER_URL",
        broker_url,
        "",
        "`redis://…` or `amqp://…`. Empty: REDIS_URL, or else files in the data directory.",
    ),
    _services(
        "STORAGE_URL",
        storage_url,
        "",
        "`file:///path` or `s3://bucket/prefix?endpoint=…&region=…`. Empty: the data directory.",
    ),
    _services(
        "KALLGLOT_SPOOL_UPLOAD",
        one_of("auto", "true", "false"),
        "auto",
        "Upload the audio of running calls to the storage in parts, so that any machine can finish "
        "a recording. `auto`: with S3. `false` needs one data directory for all.",
    ),
    Setting(
        "EMAIL_URL",
        text,
        "",
        "Mail server for password resets, `smtp+tls://user:password@host:587`. Empty: no email is "
        "sent; an admin hands out reset links instead.",
        "Storage and services",
        secret=True,
    ),
    _services("EMAIL_FROM", text, "kallglot@localhost", "The sender of that email."),
    _engines(
        "TRANSCRIBER_URL",
        text,
        "whisper://base",
        "Speech to text. A list with commas is a fallback chain. See [engines](engines.md).",
    ),
    _engines("TRANSLATOR_URL", text, "", "Text translation. Empty: none."),
    _engines("SYNTHESIZER_URL", text, "piper://,espeak://", "Text to speech."),
    _engines("RESPONDER_URL", text, "", "The language model behind the AI modes. Empty: none."),
    _engines("ANALYZER_URL", text, "local://", "Call analysis: `local://` or `openai+https://…`."),
    _streaming("KALLGLOT_STREAM_TOKEN_TTL", seconds, "300", "Seconds a stream token may be used."),
    _streaming(
        "KALLGLOT_STREAM_SILENCE",
        seconds,
        "60",
        "Seconds without a sign of life after which a WebSocket is closed.",
    ),
    _streaming(
        "KALLGLOT_SESSION_IDLE_TIMEOUT",
        seconds,
        "1800",
        "Seconds without audio that end a session.",
    ),
    _streaming(
        "KALLGLOT_DRAIN_TIMEOUT",
        seconds,
        "60",
        "Seconds after a session's end within which received speech is still transcribed.",
    ),
    _streaming(
        "KALLGLOT_MAX_STREAMS",
        positive_integer,
        "600",
        "Connections that one gateway process accepts.",
    ),
    _webhooks(
        "KALLGLOT_WEBHOOK_ALLOW_PRIVATE",
        boolean,
        "false",
        "Allow http and private addresses as webhook receivers, for development.",
    ),
    _webhooks(
        "KALLGLOT_WEBHOOK_PROXY", web_url, "", "Egress proxy that webhook deliveries go through."
    ),
    _webhooks(
        "KALLGLOT_WEBHOOK_DISPATCHERS",
        positive_integer,
        "1",
        "How many worker processes of the whole installation deliver webhooks at once.",
    ),
    _retention("KALLGLOT_EVENT_RETENTION_DAYS", positive_integer, "30", "Days events are kept."),
    _retention(
        "KALLGLOT_RECORDING_RETENTION_DAYS",
        positive_integer,
        "30",
        "Days recordings are kept unless the organization says otherwise.",
    ),
    Setting(
        "KALLGLOT_MEDIA_KEY",
        text,
        "",
        "Encrypts recordings and spools at rest in local files. Empty: not encrypted.",
        "Retention",
        secret=True,
    ),
)


def read(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Every setting by name, parsed.

    Raises ImproperlyConfigured naming every faulty variable, and every ``KALLGLOT_`` variable
    that no setting has (typing mistakes must not pass silently).
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        raw = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name] = setting.parse(raw)
        except ValueError as error:
            shown = "the value given" if setting.secret or "@" in raw else repr(raw)
            faults.append(f"{setting.name}: {shown} is not valid: {error}")
    known = {setting.name for setting in SETTINGS}
    faults.extend(
        f"{name}: there is no such setting (see docs/configuration.md)"
        for name in sorted(environ)
        if name.startswith("KALLGLOT_") and name not in known
    )
    if faults:
        raise ImproperlyConfigured("Wrong settings:\n  " + "\n  ".join(faults))
    return values
