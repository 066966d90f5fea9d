"""Talking to a remote engine over HTTP: bounded answers, typed errors, nothing secret in either."""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sessions_app.engines.base import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
)
from sessions_app.engines.urls import EngineURL

_MAX_ANSWER = 4 * 1024 * 1024  # bytes
_CONNECT = 5.0  # s
_MAX_WAIT = 60.0  # s we let a server ask us to wait


class RemoteEndpoint:
    """An OpenAI-compatible server. The key is sent and never shown."""

    def __init__(self, url: EngineURL, timeout: float) -> None:
        if url.transport not in ("http", "https") or not url.host:
            raise EngineMisconfigured(
                f"{url.scheme} needs an address, as in "
                f"{url.scheme}+https://:key@api.example.com/v1?model=name"
            )
        self.address = url.endpoint
        self._key = url.key
        self._timeout = httpx.Timeout(timeout, connect=_CONNECT)
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def post(self, path: str, **content: Any) -> bytes:
        """The body of the answer. Raises ``EngineError``; never quotes what the server said."""
        pieces = bytearray()
        async with self.stream(path, **content) as chunks:
            async for chunk in chunks:
                pieces += chunk
                if len(pieces) > _MAX_ANSWER:
                    raise EngineUnavailable(f"{self.address} answered without end")
        return bytes(pieces)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, **content: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of the answer as it arrives. Raises ``EngineError``."""
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx.AsyncClient(headers=headers, timeout=self._timeout)
        try:
            async with self._client.stream("POST", f"{self.address}{path}", **content) as response:
                if not response.is_success:
                    raise error_for(self.address, response.status_code, response.headers)
                yield response.aiter_bytes()
        except httpx.TimeoutException as error:
            raise EngineTimeout(f"{self.address} did not answer in time") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise EngineUnavailable(
                f"{self.address} cannot be reached: {type(error).__name__}"
            ) from error


def error_for(address: str, status: int, headers: Mapping[str, str]) -> EngineError:
    """The error that an unsuccessful status means."""
    if status == 429 or (status == 503 and "retry-after" in headers):
        return EngineOverloaded(f"{address} is busy ({status})", _retry_after(headers))
    if status in (401, 403):
        return EngineMisconfigured(f"{address} refuses the key ({status})")
    if status == 404:
        return EngineMisconfigured(f"{address} has no such model or path (404)")
    if status >= 500 or status in (408, 425):
        return EngineUnavailable(f"{address} failed ({status})")
    return EngineRejected(f"{address} refused the request ({status})")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks for: a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return min(max(float(text), 0.0), _MAX_WAIT)
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        return min(max(moment.timestamp() - _now(headers), 0.0), _MAX_WAIT)
    return None


def _now(headers: Mapping[str, str]) -> float:
    """The server's own clock where it tells, so that ours need not agree with it."""
    with contextlib.suppress(ValueError, TypeError):
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    return time.time()
