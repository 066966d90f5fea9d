"""Engine URLs: ``scheme[+transport]://[:key@]host/path?option=value``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sessions_app.engines.base import EngineMisconfigured

_BETWEEN = re.compile(r"\s*,\s*(?=[a-z][a-z0-9+.\-]*://)", re.IGNORECASE)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What every engine is given.

    ``data_dir`` holds prepared models; ``progress`` is called with a description of the step, bytes
    done and bytes in total.
    """

    data_dir: Path
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class EngineURL:
    """A parsed engine URL. The key is not in its repr, nor in any error raised here."""

    scheme: str
    transport: str  # "http", "https" or empty
    host: str  # with port; its case is kept, because it may be a model's name
    path: str
    key: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The remote address, without key and options: ``https://api.example.com/v1``."""
        return f"{self.transport}://{self.host}{self.path}".rstrip("/")

    def read_options(self, **known: Callable[[str], Any]) -> dict[str, Any]:
        """The options, converted by ``known`` (name → converter). Unknown options are refused."""
        values = {}
        for name, text in self.options.items():
            if name not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise EngineMisconfigured(
                    f"{self.scheme}:// has no option {name!r}; it has: {allowed}"
                )
            try:
                values[name] = known[name](text)
            except ValueError as error:
                raise EngineMisconfigured(
                    f"{self.scheme}:// cannot use {text!r} as {name}: {error}"
                ) from None
        return values


def parse_chain(text: str) -> list[EngineURL]:
    """The URLs of a fallback chain, in order of preference. Raises ``EngineMisconfigured``."""
    urls = [_parse(part) for part in split_chain(text)]
    if not urls:
        raise EngineMisconfigured("an engine URL is empty; an example: whisper://base")
    return urls


def split_chain(text: str) -> list[str]:
    """The URLs of a fallback chain, each as it is written."""
    return [part for part in _BETWEEN.split(text.strip()) if part]


def _parse(text: str) -> EngineURL:
    try:
        parts = urlsplit(text.strip())
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise EngineMisconfigured(f"the engine URL {_safe(text)} cannot be read") from None
    if not parts.scheme or "://" not in text:
        raise EngineMisconfigured(
            f"{_safe(text)} is not an engine URL; examples: whisper://base and "
            "openai+https://:key@host/v1?model=name"
        )
    scheme, _, transport = parts.scheme.partition("+")
    credentials, _, host = parts.netloc.rpartition("@")
    _, _, password = credentials.partition(":")
    key = unquote(password or credentials)
    key_file = options.pop("key_file", "")
    if key_file:
        try:
            key = Path(key_file).read_text().strip()
        except OSError as error:
            raise EngineMisconfigured(f"cannot read key_file: {error}") from error
    return EngineURL(scheme, transport, host, parts.path, key, options)


def _safe(text: str) -> str:
    """The scheme of an invalid URL, to recognise it; the rest could be a key."""
    match = re.match(r"\s*[a-z][a-z0-9+.\-]*", text, re.IGNORECASE)
    return f"{match.group().strip()}…" if match else "it"
