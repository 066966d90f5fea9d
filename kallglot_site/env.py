"""Every setting of an installation: its name, type, default and purpose.

``settings.py`` reads them, ``manage.py settings --markdown`` prints ``docs/configuration.md`` from
them. Wrong values stop the start, and all of them are listed at once.
"""

import ipaddress
import os
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Kind:
    """The name of a type in ``docs/configuration.md``."""

    name: str


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{value} is no address or network such as 10.0.0.0/8") from None
    return values


def _with_usable_port(value: str, example: str) -> None:
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError(f"use a port from 0 to 65535, as in {example}") from None


def _url_of(example: str, schemes: tuple[str, ...], value: str) -> str:
    if value and not (urlsplit(value).scheme in schemes and urlsplit(value).hostname):
        raise ValueError(f"use a URL such as {example}")
    _with_usable_port(value, example)
    return value.rstrip("/")


def _hub_url(value: str) -> str:
    if "@" in urlsplit(value).netloc:  # commands print this URL
        raise ValueError("use a URL without a password: set HF_TOKEN instead")
    return _url_of("https://huggingface.co", ("http", "https"), value)


def _token(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("use a token of ASCII characters without spaces")
    return value


def _url_beginning(schemes: tuple[str, ...], value: str) -> str:
    prefixes = [f"{scheme}://" for scheme in schemes]
    if value and not value.startswith(tuple(prefixes)):
        raise ValueError(f"use a URL that begins with {', '.join(prefixes)}")
    _with_usable_port(value, f"{prefixes[0]}host:1234")
    return value


def _storage_url(value: str) -> str:
    parts = urlsplit(_url_beginning(("file", "s3"), value))
    if parts.scheme == "s3" and not parts.hostname:
        raise ValueError("use a URL with a bucket, such as s3://bucket/prefix")
    if parts.scheme == "file" and (parts.netloc or not parts.path):
        raise ValueError("use a URL with an absolute path, such as file:///var/media")
    if parts.scheme == "file":
        _folder(parts.path)
    return value


def _email_url(value: str) -> str:
    if value:
        _url_beginning(tuple(Env.EMAIL_SCHEMES), value)
    return value


def _email_address(value: str) -> str:
    if "@" not in parseaddr(value)[1]:
        raise ValueError("use an e-mail address such as kallglot@example.com")
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("use an IANA time zone such as Europe/Berlin") from None
    return value


def _folder(value: str) -> str:
    path = Path(value).expanduser().absolute()
    existing = next(each for each in (path, *path.parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"{existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(f"this user may not write to {existing}")
    return value


Count = Annotated[int, Field(ge=1, le=1_000_000), Kind("positive integer")]
Days = Annotated[int, Field(ge=1, le=36_500), Kind("positive integer")]
Seconds = Annotated[float, Field(gt=0, le=31_536_000), Kind("seconds")]
Names = Annotated[list[str], BeforeValidator(_split), Kind("comma list")]
Networks = Annotated[Names, AfterValidator(_networks), Kind("networks")]
Folder = Annotated[str, AfterValidator(_folder), Kind("text")]
TimeZone = Annotated[str, AfterValidator(_time_zone), Kind("time zone")]
WebUrl = Annotated[
    str,
    AfterValidator(partial(_url_of, "https://api.example.com", ("http", "https"))),
    Kind("web URL"),
]
HubUrl = Annotated[str, AfterValidator(_hub_url), Kind("web URL")]
Token = Annotated[str, AfterValidator(_token), Kind("text")]
WebSocketUrl = Annotated[
    str,
    AfterValidator(partial(_url_of, "wss://stream.example.com", ("ws", "wss"))),
    Kind("websocket URL"),
]
DatabaseUrl = Annotated[
    str, AfterValidator(partial(_url_beginning, ("postgres", "postgresql", "sqlite"))), Kind("URL")
]
RedisUrl = Annotated[
    str, AfterValidator(partial(_url_beginning, ("redis", "rediss", "unix"))), Kind("URL")
]
BrokerUrl = Annotated[
    str,
    AfterValidator(
        partial(_url_beginning, ("redis", "rediss", "amqp", "amqps", "filesystem")),
    ),
    Kind("URL"),
]
StorageUrl = Annotated[str, AfterValidator(_storage_url), Kind("URL")]
EmailAddress = Annotated[str, AfterValidator(_email_address), Kind("text")]
EmailUrl = Annotated[str, AfterValidator(_email_url), Kind("text")]


def _in_section(section: str) -> Callable[..., Any]:
    def declare(default: Any, help: str, *, secret: bool = False) -> Any:
        """One setting of this section. ``help`` explains it to the operator."""
        about: JsonDict = {"section": section, "secret": secret}
        return Field(default, description=help, json_schema_extra=about)

    return declare


SECTIONS = ("General", "Storage and services", "Engines", "Streaming", "Webhooks", "Retention")
_general, _services, _engines, _streaming, _webhooks, _retention = map(_in_section, SECTIONS)


# Not pydantic-settings, which ignores variables with unknown names.
class Environment(BaseModel):
    """The environment variables. An empty variable counts as one that is not set."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    KALLGLOT_ENVIRONMENT: Literal["development", "production"] = _general(
        "development",
        "`production` requires HTTPS, a public URL and, with a database server, a secret key.",
    )
    KALLGLOT_DATA_DIR: Folder = _general("./data", "The folder for all local data.")
    KALLGLOT_SECRET_KEY: str = _general(
        "",
        "Signs tokens and encrypts secrets. Empty: generated once and kept in the data directory. "
        "Set the same key on every machine of an installation.",
        secret=True,
    )
    KALLGLOT_SECRET_KEY_FALLBACKS: Names = _general(
        [],
        "Earlier secret keys, which still decrypt and verify after a change of the key.",
        secret=True,
    )
    KALLGLOT_DEBUG: bool = _general(
        False, "Show Django's debug pages on errors. Refused in production."
    )
    KALLGLOT_PUBLIC_URL: WebUrl = _general(
        "",
        "The URL of REST and the dashboard, as responses print it. Empty: taken from the request.",
    )
    KALLGLOT_STREAM_URL: WebSocketUrl = _general(
        "", "The URL of WebSockets, as responses print it. Empty: the public URL with ws or wss."
    )
    KALLGLOT_ALLOWED_HOSTS: Names = _general(
        [], "Host names that are served. Empty: localhost and the public URL's host."
    )
    KALLGLOT_TRUSTED_PROXIES: Networks = _general(
        [],
        "Addresses or networks of reverse proxies. X-Forwarded-For and -Proto of others are "
        "ignored.",
    )
    KALLGLOT_SIGN_IN_FAILURES_PER_ADDRESS: Count = _general(
        100, "After this many wrong passwords within 15 minutes an IP address cannot sign in."
    )
    KALLGLOT_TIME_ZONE: TimeZone = _general(
        "UTC", "The dashboard's time zone until the browser has sent its own."
    )
    KALLGLOT_LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _general(
        "INFO", "The lowest level that is logged."
    )
    KALLGLOT_METRICS_TOKEN: str = _general(
        "",
        "Bearer token for `/metrics`. Empty: `/metrics` works in development only, for clients on "
        "the same machine.",
        secret=True,
    )
    KALLGLOT_API_KEY: str = _general(
        "", "The API key of `manage.py call`. The server itself does not use it.", secret=True
    )
    KALLGLOT_LOG_FORMAT: Literal["console", "json"] = _general(
        "console", "Format of the logs: text or JSON lines."
    )
    DATABASE_URL: DatabaseUrl = _services(
        "",
        "`postgres://user:password@host/name` or `sqlite:///path`. "
        "Empty: SQLite in the data directory.",
    )
    REDIS_URL: RedisUrl = _services(
        "",
        "Channel layer and rate limits across processes, `redis://host:6379/0`. Empty: in memory.",
    )
    KALLGLOT_REDIS_PREFIX: str = _services(
        "kallglot",
        "Prefix of every name in Redis. Installations that share a Redis need different ones.",
    )
    CELERY_BROKER_URL: BrokerUrl = _services(
        "", "`redis://…` or `amqp://…`. Empty: REDIS_URL, else files in the data directory."
    )
    STORAGE_URL: StorageUrl = _services(
        "", "`file:///path` or `s3://bucket/prefix?endpoint=…&region=…`. Empty: the data directory."
    )
    KALLGLOT_SPOOL_UPLOAD: Literal["auto", "true", "false"] = _services(
        "auto",
        "Upload the audio of running calls to the storage in parts, so that any machine can finish "
        "a recording. `auto`: only with S3. `false`: all machines must share one data directory.",
    )
    EMAIL_URL: EmailUrl = _services(
        "",
        "Mail server for password resets, `smtp+tls://user:password@host:587`. Empty: no email is "
        "sent, and admins pass on reset links instead.",
        secret=True,
    )
    EMAIL_FROM: EmailAddress = _services("kallglot@localhost", "The sender of that email.")
    HF_ENDPOINT: HubUrl = _services(
        "https://huggingface.co",
        "The Hugging Face hub, or a mirror of it, from which models are fetched.",
    )
    HF_TOKEN: Token = _services(
        "", "Access token for private and gated models of the hub.", secret=True
    )
    TRANSCRIBER_URL: str = _engines(
        "whisper://base",
        "Speech to text. With several URLs, separated by commas, each is the fallback of the one "
        "before it. See [engines](engines.md).",
    )
    TRANSLATOR_URL: str = _engines(
        "",
        "Text translation. Empty: what is there anyway, which is Whisper's translation into "
        "English and the installed pairs of Apertium (`apt-get install apertium-en-es`).",
    )
    SYNTHESIZER_URL: str = _engines("piper://,nanotts://,espeak://", "Text to speech.")
    RESPONDER_URL: str = _engines("", "The language model behind the AI modes. Empty: none.")
    EMBEDDER_URL: str = _engines(
        "minilm://",
        "Search by meaning in knowledge bases: `minilm://` or `openai+https://…?model=…`. "
        "`none`: search by words only.",
    )
    ANALYZER_URL: str = _engines("local://", "Call analysis: `local://` or `openai+https://…`.")
    KALLGLOT_STREAM_TOKEN_TTL: Seconds = _streaming(300.0, "Seconds that a stream token is valid.")
    KALLGLOT_STREAM_SILENCE: Seconds = _streaming(
        60.0, "Seconds without a message or pong after which a WebSocket is closed."
    )
    KALLGLOT_SESSION_IDLE_TIMEOUT: Seconds = _streaming(
        1800.0, "Seconds without audio after which a session ends."
    )
    KALLGLOT_DRAIN_TIMEOUT: Seconds = _streaming(
        60.0, "Seconds after a session's end in which speech already received is transcribed."
    )
    KALLGLOT_MAX_STREAMS: Count = _streaming(600, "Connections that one gateway process accepts.")
    KALLGLOT_CLIENT_READ_RATE: Count = _streaming(
        1000,
        "Bytes a second. A client that reads a download, a response or a WebSocket more slowly "
        "while data waits for it is disconnected.",
    )
    KALLGLOT_CLIENT_READ_WINDOW: Seconds = _streaming(
        30.0, "Seconds over which that rate is averaged."
    )
    KALLGLOT_WEBHOOK_ALLOW_PRIVATE: bool = _webhooks(
        False, "Allow http and private addresses as webhook receivers, for development."
    )
    KALLGLOT_WEBHOOK_PROXY: WebUrl = _webhooks("", "Outgoing proxy for webhook deliveries.")
    KALLGLOT_WEBHOOK_DISPATCHERS: Count = _webhooks(
        1, "How many worker processes of the installation deliver webhooks at the same time."
    )
    KALLGLOT_EVENT_RETENTION_DAYS: Days = _retention(30, "Days that events are kept.")
    KALLGLOT_RECORDING_RETENTION_DAYS: Days = _retention(
        30, "Days that recordings are kept, unless the organization has set its own."
    )
    KALLGLOT_MEDIA_KEY: str = _retention(
        "",
        "Encrypts the local files of recordings and spools. Empty: not encrypted.",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for printing. ``default`` is written as in the environment."""

    name: str
    kind: str
    default: str
    help: str
    section: str
    secret: bool


def _setting(name: str, field: FieldInfo) -> Setting:
    about = field.json_schema_extra
    assert isinstance(about, dict)
    return Setting(
        name=name,
        kind=_kind(field),
        default=as_text(field.default),
        help=field.description or "",
        section=str(about["section"]),
        secret=bool(about["secret"]),
    )


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(field.annotation))
    named = [each.name for each in field.metadata if isinstance(each, Kind)]
    return named[-1] if named else {bool: "boolean"}.get(field.annotation, "text")  # type: ignore[arg-type]  # any type is possible


def as_text(value: Any) -> str:
    """A setting's value, written as in the environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(value) if isinstance(value, list) else str(value)


SETTINGS: tuple[Setting, ...] = tuple(
    _setting(name, field) for name, field in Environment.model_fields.items()
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_PREFIX = "KALLGLOT_"


def read(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Every setting by name, converted to its type.

    Raises ImproperlyConfigured with a line for every wrong value, and for every ``KALLGLOT_``
    variable that is not a setting, so that a typing mistake is noticed.
    """
    given = {
        name: value.strip()
        for name, value in environ.items()
        if (name in _BY_NAME and value.strip())
        or (name not in _BY_NAME and name.startswith(_PREFIX))
    }
    try:
        return Environment.model_validate(given).model_dump()
    except ValidationError as error:
        lines = [_complaint(each, given) for each in error.errors()]
        raise ImproperlyConfigured("\n".join(lines)) from None


def _complaint(error: ErrorDetails, given: Mapping[str, str]) -> str:
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting (see docs/configuration.md)"
    raw = given.get(name) or _BY_NAME[name].default
    shown = "the value given" if _BY_NAME[name].secret or "@" in raw else repr(raw)
    return f"{name}: {shown} is not valid: {_advice(error)}"


def _advice(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"use one of: {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
        case "bool_parsing":
            return "use true or false"
        case "int_parsing" | "int_from_float" | "int_parsing_size" | "greater_than_equal":
            return "use a whole number from 1 up"
        case "float_parsing" | "greater_than" | "finite_number":
            return "use a number of seconds above 0"
        case "less_than_equal":
            return f"use at most {context['le']:,.0f}"
    return error["msg"]
