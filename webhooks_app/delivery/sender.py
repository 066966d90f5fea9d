"""One attempt: a signed POST and its answer, within a deadline and a maximum size."""

import asyncio
import datetime
import logging
import ssl
import time

import httpcore
import httpx

from webhooks_app import signing
from webhooks_app.delivery.messages import Answer, Message
from webhooks_app.delivery.network import (
    CONNECT_TIMEOUT,
    BlockedAddress,
    GuardedBackend,
    Resolver,
    UnknownHost,
    check_host,
)
from webhooks_app.delivery.schedule import retry_after_seconds
from webhooks_app.delivery.urls import url_parse
from webhooks_app.errors import InvalidUrl

logger = logging.getLogger(__name__)

DEADLINE = 30.0  # seconds from looking up the name to the last byte of the answer
STORED_BODY = 4096  # bytes of the answer that are kept
READ_BODY = 1024 * 1024  # bytes of the answer that are waited for
KEEP_ALIVE = 2.0  # seconds: shorter than what common servers grant an idle connection
MAX_POOLS = 512
UNREADABLE = "secret_unreadable: the signing secret was sealed under another secret key; rotate it"
USER_AGENT = "Kallglot-Webhooks/1"
_UNSTORED = {"set-cookie", "authorization", "www-authenticate", "proxy-authenticate"}


class ResponseTooLong(Exception):
    """The answer's body does not end."""


class Sender:
    """Sends messages and keeps connections alive, in a pool for each receiver.

    Separate pools, so that one receiver's slow connections never delay another. ``proxy`` is the
    URL of an egress proxy. It makes the connections, but the name is checked here as well where it
    can be resolved.
    """

    def __init__(
        self, *, allow_private: bool = False, proxy: str = "", deadline: float = DEADLINE
    ) -> None:
        self._allow_private = allow_private
        self._proxy = proxy
        self._deadline = deadline
        self._resolver = Resolver()
        self._tls = httpx.create_ssl_context()
        self._pools: dict[tuple[str, str, int | None], httpcore.AsyncConnectionPool] = {}

    async def send(self, message: Message) -> Answer:
        """Never raises, whatever the receiver does: the answer says what happened."""
        at, started = datetime.datetime.now(datetime.UTC), time.perf_counter()
        if message.secrets is None:
            return Answer(at=at, duration_ms=0, succeeded=False, error=UNREADABLE)
        headers = request_headers(message, message.secrets, int(at.timestamp()))
        answer: dict[str, object] = {}
        try:
            async with asyncio.timeout(self._deadline):
                await self._exchange(message, headers, answer)
        except Exception as error:
            answer["error"] = explain(error, self._deadline)
        status = answer.get("status_code")
        return Answer(
            at=at,
            duration_ms=round((time.perf_counter() - started) * 1000),
            request_headers=headers,
            succeeded=isinstance(status, int) and 200 <= status < 300 and not answer.get("error"),
            **answer,  # type: ignore[arg-type]  # filled by _exchange as far as it came
        )

    async def _exchange(
        self, message: Message, headers: dict[str, str], answer: dict[str, object]
    ) -> None:
        url = url_parse(message.url)
        if self._proxy:
            await self._check_before_proxy(url)
        async with self._pool(url).stream(
            "POST",
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=[(b"Host", url.netloc), *_encoded(headers)],
            content=message.body,
            extensions={
                "timeout": {
                    "connect": CONNECT_TIMEOUT,
                    "read": self._deadline,
                    "write": self._deadline,
                    "pool": self._deadline,
                }
            },
        ) as response:
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            answer["status_code"] = response.status
            answer["response_headers"] = stored_headers(received)
            answer["retry_after"] = retry_after_seconds(
                received.get("retry-after"), datetime.datetime.now(datetime.UTC)
            )
            if 300 <= response.status < 400:
                answer["error"] = "redirect_refused: redirects are not followed"
                return
            await _read(response, received, answer)

    async def _check_before_proxy(self, url: httpx.URL) -> None:
        if not self._allow_private:
            try:
                await check_host(self._resolver, url.raw_host.decode().strip("[]"), url.port or 443)
            except UnknownHost:
                return  # behind some proxies only the proxy can resolve

    def _pool(self, url: httpx.URL) -> httpcore.AsyncConnectionPool:
        key = (url.scheme, url.host, url.port)
        pool = self._pools.pop(key, None)
        if pool is None:
            pool = self._pool_create()
        self._pools[key] = pool  # the dictionary's order is the order of last use
        if len(self._pools) > MAX_POOLS:
            self._pools_thin_out()
        return pool

    def _pool_create(self) -> httpcore.AsyncConnectionPool:
        if self._proxy:
            return httpcore.AsyncHTTPProxy(
                self._proxy, ssl_context=self._tls, keepalive_expiry=KEEP_ALIVE, max_connections=64
            )
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=64,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=GuardedBackend(self._resolver, allow_private=self._allow_private),
        )

    def _pools_thin_out(self) -> None:
        for key, pool in list(self._pools.items())[: MAX_POOLS // 4]:
            if not pool.connections:
                del self._pools[key]

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()
        self._resolver.close()


def request_headers(message: Message, secrets: tuple[str, ...], timestamp: int) -> dict[str, str]:
    """Every header of an attempt made at ``timestamp`` (Unix seconds)."""
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Kallglot-Webhook-Id": message.delivery_id,
        "Kallglot-Retry-Count": str(message.attempts),
        "Kallglot-Original-Timestamp": str(int(message.event_created_at.timestamp())),
        **signing.signature_headers(
            message.body,
            event_id=message.event_id,
            timestamp=timestamp,
            secrets=secrets,
        ),
    }


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


async def _read(
    response: httpcore.Response, headers: dict[str, str], answer: dict[str, object]
) -> None:
    """Keep the first bytes, and drain a reasonable rest so that the connection can be kept.

    Compressed bodies stay compressed: there is nothing in them worth a decompression bomb.
    """
    kept, total = bytearray(), 0
    encoding = headers.get("content-encoding", "identity").lower()
    try:
        async for chunk in response.aiter_stream():
            total += len(chunk)
            kept += chunk[: STORED_BODY - len(kept)]
            if total > READ_BODY:
                raise ResponseTooLong
    finally:
        answer["response_body"] = (
            stored_text(bytes(kept))
            if encoding in {"", "identity"}
            else f"({encoding[:20]} body, not decoded)"
        )


def stored_text(body: bytes) -> str:
    """At most 4 KiB of UTF-8 that every database stores."""
    text = body.decode("utf-8", errors="replace").replace("\x00", "\ufffd")
    return text.encode()[:STORED_BODY].decode(errors="ignore")


def stored_headers(headers: dict[str, str]) -> dict[str, str]:
    return {
        name[:100]: value[:300]
        for name, value in list(headers.items())[:40]
        if name not in _UNSTORED
    }


def explain(error: Exception, deadline: float = DEADLINE) -> str:
    """``code: what happened``, for people who debug a receiver. Never a traceback."""
    if isinstance(error, TimeoutError | httpcore.ReadTimeout | httpcore.WriteTimeout):
        return f"timeout: no complete answer within {deadline:.0f} s"
    if isinstance(error, httpcore.ConnectTimeout):
        return f"connect_timeout: no connection within {CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, BlockedAddress):
        return f"blocked_address: {error}"
    if isinstance(error, UnknownHost):
        return f"unknown_host: {error}"
    if isinstance(error, InvalidUrl):
        return f"invalid_url: {error.message}"
    if isinstance(error, ResponseTooLong):
        return f"response_too_long: the answer is longer than {READ_BODY // 1024} KiB"
    if isinstance(error, httpcore.ConnectError):
        cause = _tls_cause(error)
        if cause is not None:
            return f"tls_error: {(getattr(cause, 'verify_message', '') or cause.reason or cause)}"
        return "connection_failed: the connection was refused or not possible"
    if isinstance(error, httpcore.RemoteProtocolError):
        return f"invalid_response: {str(error)[:200]}"
    if isinstance(error, httpcore.NetworkError):
        return "connection_lost: the connection broke before the answer was complete"
    if isinstance(error, httpcore.ProxyError):
        return f"proxy_error: {str(error)[:200]}"
    logger.error("a delivery failed with an unexpected error", exc_info=error)
    return f"internal_error: {type(error).__name__}"


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
