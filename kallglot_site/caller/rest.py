"""The REST side of a call."""

import asyncio
import itertools
import random
import ssl
import time
from typing import Any, Final

import httpx

from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.tls import tls_fault

Json = dict[str, Any]

RETRY_FOR: Final = 60.0
"""Seconds for which a running call waits for a server that does not answer."""
_TRY_LATER: Final = frozenset({429, 502, 503, 504})


class TryLater(CallFailed):
    """The same may succeed in a moment. ``retry_after`` is in seconds, where the server said it."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def retry_delay(attempt: int) -> float:
    """Seconds before retry 1, 2, …: about 0.25, 0.5, 1, 2, then 4. Random, to spread clients."""
    return min(4.0, 0.125 * 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


class Rest:
    """JSON requests with an API key. Every method raises CallFailed, which says what to do."""

    def __init__(self, url: str, key: str, tls: ssl.SSLContext) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            verify=tls,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, *, retry_for: float = 0.0) -> Json:
        return await self._request("GET", path, None, retry_for)

    async def post(self, path: str, body: Json, *, retry_for: float = 0.0) -> Json:
        return await self._request("POST", path, body, retry_for)

    async def _request(self, method: str, path: str, body: Json | None, retry_for: float) -> Json:
        """``retry_for`` seconds from now it gives up repeating what may succeed later."""
        give_up = time.monotonic() + retry_for
        for attempt in itertools.count(1):
            try:
                return await self._attempt(method, path, body)
            except TryLater as error:
                delay = error.retry_after or retry_delay(attempt)
                if time.monotonic() + delay > give_up:
                    raise
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _attempt(self, method: str, path: str, body: Json | None) -> Json:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            if fault := tls_fault(error, self._url):
                raise CallFailed(fault) from None
            if isinstance(error, httpx.ConnectError):
                raise TryLater(
                    f"Nothing answers at {self._url}. Start it with `make run`, or name another "
                    "server with --url."
                ) from None
            raise TryLater(f"{method} {self._url}{path} failed: {error!r}") from None
        if answer.is_success:
            result: Json = answer.json()
            return result
        if answer.status_code in _TRY_LATER:
            raise TryLater(_refusal(answer), _retry_after(answer))
        raise CallFailed(_refusal(answer))


def _refusal(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        text = f"{error['message']} ({error['code']}, request {error['request_id']})"
    except (ValueError, KeyError, TypeError):
        text = f"HTTP {answer.status_code}: is this a Kallglot server?"
    return f"The server refused: {text}"


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        return float(answer.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
