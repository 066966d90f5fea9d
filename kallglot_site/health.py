"""Health pages: /healthz (is it alive), /readyz (can it take calls), /metrics (Prometheus).

They are answered before Django, with any Host header, so that a process whose request threads are
all busy does not look dead.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

import prometheus_client
import structlog
from django.db import close_old_connections

from kallglot_site import executors
from kallglot_site.backing_services import TIMEOUT, broker, database
from kallglot_site.metrics import access
from kallglot_site.metrics.exposition import gateway_text
from kallglot_site.version import VERSION
from sessions_app import runtime

log = structlog.get_logger(__name__)

_FRESH = 2.0
"""Seconds that the state of a service is cached, so that frequent requests cost nothing."""


class Check(TypedDict):
    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: JSON of ``content``, or bytes as they are."""

    content: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class HealthPages:
    """ASGI middleware: answers the three addresses; everything else goes on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = _PAGES.get(scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            await self.app(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await _send(await answer(scope), scope["method"], send)
        else:
            refused = Page({"error": "Use GET or HEAD."}, 405, {"Allow": "GET, HEAD"})
            await _send(refused, scope["method"], send)


async def _send(page: Page, method: str, send: Any) -> None:
    body = page.content
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **page.headers,
    }
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": page.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def healthz(scope: Any) -> Page:
    """200 with the version, as long as the process can answer."""
    return Page({"status": "ok", "version": VERSION})


async def readyz(scope: Any) -> Page:
    """200 when calls can be taken; else 503, with the reason at each check that failed.

    ``degraded`` says what does not work although calls can be taken, such as translation.
    """
    answers = await asyncio.gather(*(check() for check in CHECKS.values()))
    ready = all(check["ok"] for check in answers)
    content = {
        "status": "ready" if ready else "unavailable",
        "checks": dict(zip(CHECKS, answers, strict=True)),
        "degraded": runtime.missing_engines(),
    }
    return Page(content, 200 if ready else 503)


async def metrics(scope: Any) -> Page:
    """Metrics as Prometheus text, for those who may read them."""
    headers = dict(scope["headers"])
    allowed = access.may_read(
        authorization=headers.get(b"authorization", b""),
        client=(scope.get("client") or [""])[0],
        forwarded=b"x-forwarded-for" in headers or b"forwarded" in headers,
    )
    if not allowed:
        return Page({"error": access.REFUSED}, 403)
    try:
        text = await gateway_text()
    except executors.ExecutorFull:
        return Page({"error": "Too many requests for metrics at once."}, 503)
    return Page(text, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})


class Remembered:
    """A blocking check that runs once at a time and whose answer is cached for a moment.

    A service that hangs thus blocks one thread, however many requests come.
    """

    def __init__(self, ask: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._until = float("-inf")
        self._answer: Check = {"ok": False, "reason": "not checked yet"}
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self) -> Check:
        if self._clock() < self._until:
            return self._answer
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not asyncio.get_running_loop():
            asking = self._asking = asyncio.create_task(self._refresh())
        done, _ = await asyncio.wait({asking}, timeout=TIMEOUT)
        return self._answer if done else {"ok": False, "reason": "does not answer in time"}

    async def _refresh(self) -> None:
        try:
            await executors.HEALTH.run(self._ask)
        except Exception as error:
            # The message may contain a URL with a password. The log redacts it; the page omits it.
            log.warning("health.failed", check=self._ask.__name__, error=str(error))
            self._answer = {"ok": False, "reason": f"does not answer ({type(error).__name__})"}
        else:
            self._answer = {"ok": True, "reason": ""}
        self._until = self._clock() + _FRESH


def _database_anew() -> None:
    close_old_connections()  # a connection that the thread kept may be broken
    database()


async def engine() -> Check:
    """Whether this process has its speech engine, here or on a server, and is not draining."""
    runtime.engine_probe()
    reason = runtime.unready_reason()
    return {"ok": reason is None, "reason": reason or ""}


CHECKS: dict[str, Callable[[], Awaitable[Check]]] = {
    "database": Remembered(_database_anew),
    "broker": Remembered(broker),
    "engine": engine,
}
_PAGES: dict[str, Callable[[Any], Awaitable[Page]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
