"""HTTP to a remote engine: bounded time and size, typed errors that hold no secret."""

import asyncio
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
_CONNECT = 5.0  # s; also for a free connection
_MAX_RETRY_AFTER = 60.0  # s


class RemoteEndpoint:
    """An OpenAI-compatible server. The key is sent, and never logged or part of an error.

    ``timeout`` is in seconds: for a whole ``post``; for a ``stream``, until the headers of the
    answer, and then for each read.
    """

    def __init__(self, url: EngineURL, timeout: float) -> None:
        if url.transport not in ("http", "https") or not url.host:
            raise EngineMisconfigured(
                f"{url.scheme} needs an address, as in "
                f"{url.scheme}+https://:key@api.example.com/v1?model=name"
            )
        self.address = url.endpoint
        self._key = url.key
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def probe(self) -> None:
        """Whether the server answers and takes the key. Raises ``EngineError``."""
        async with self._deadline(), self._answer("GET", "/models") as response:
            error = error_for(self.address, response.status_code, response.headers)
        # A server that is busy, or that has no list of models (404, 405, 501), answers too.
        # So does one whose key may transcribe and not list models (403).
        failed = response.status_code >= 500 and response.status_code != 501
        if response.status_code == 401 or (failed and not isinstance(error, EngineOverloaded)):
            raise error

    async def post(self, path: str, **content: Any) -> bytes:
        """The body of the answer. Raises ``EngineError``, without the server's own words."""
        body = bytearray()
        async with self._deadline(), self.stream(path, **content) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise EngineUnavailable(f"the answer of {self.address} is too long")
        return bytes(body)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, **content: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of the answer as it arrives. Raises ``EngineError``."""
        async with self._answer("POST", path, **content) as response:
            if not response.is_success:
                raise error_for(self.address, response.status_code, response.headers)
            yield response.aiter_bytes()

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, path: str, **content: Any
    ) -> AsyncIterator[httpx.Response]:
        """The headers of the answer, whatever its status; the body is not read yet."""
        client = self._connected()
        request = client.build_request(method, f"{self.address}{path}", **content)
        try:
            async with self._deadline():
                response = await client.send(request, stream=True)
            async with contextlib.aclosing(response):
                yield response
        except httpx.PoolTimeout as error:  # ours, not the server's: it was not even asked
            raise EngineOverloaded(f"all connections to {self.address} are in use") from error
        except httpx.TimeoutException as error:
            raise self._no_answer() from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise EngineUnavailable(
                f"{self.address} cannot be reached: {type(error).__name__}"
            ) from error

    @contextlib.asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """httpx bounds each read: a server that sends byte after byte would never time out."""
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._no_answer() from None

    def _no_answer(self) -> EngineTimeout:
        return EngineTimeout(f"{self.address} did not answer in time")

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            timeout = httpx.Timeout(self._timeout, connect=_CONNECT, pool=_CONNECT)
            self._client = httpx.AsyncClient(headers=headers, timeout=timeout)
        return self._client


def error_for(address: str, status: int, headers: Mapping[str, str]) -> EngineError:
    """The error for an unsuccessful HTTP status."""
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
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return min(max(float(text), 0.0), _MAX_RETRY_AFTER)
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        return min(max(moment.timestamp() - _now(headers), 0.0), _MAX_RETRY_AFTER)
    return None


def _now(headers: Mapping[str, str]) -> float:
    """The server's clock if it sends one, so that a wrong clock on either side does not matter."""
    with contextlib.suppress(ValueError, TypeError):
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    return time.time()
