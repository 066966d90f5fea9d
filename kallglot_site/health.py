"""What machines ask: /healthz (does it live), /readyz (can it take calls), /metrics (numbers).

Answered before anything else, and for any Host header: a load balancer calls by address.
"""

import hmac
import ipaddress
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypedDict

import kombu
import prometheus_client
import redis
import structlog
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from kallglot_site.version import VERSION
from sessions_app import runtime

log = structlog.get_logger(__name__)

_FRESH = 2.0
"""Seconds for which the state of remote services is remembered: asking often must cost nothing."""
_TIMEOUT = 2
"""Seconds a service may take to answer."""


class Check(TypedDict):
    ok: bool
    reason: str


class HealthMiddleware:
    """Answers the three addresses; everything else goes on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        page = _PAGES.get(request.path)
        if page is None:
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        response = page(request)
        response["Cache-Control"] = "no-store"
        # Whoever asks is told why; Django would log an error for every 503 of a starting process.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process can answer at all, and which version it runs."""
    return JsonResponse({"status": "ok", "version": VERSION})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when calls can be taken; else 503, with the reason at each check that failed."""
    checks = {name: check() for name, check in CHECKS.items()}
    ready = all(check["ok"] for check in checks.values())
    return JsonResponse(
        {"status": "ready" if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. For this machine, or with KALLGLOT_METRICS_TOKEN for its bearer."""
    if not _may_read_metrics(request):
        return JsonResponse(
            {"error": "Ask from this machine, or with the bearer token KALLGLOT_METRICS_TOKEN."},
            status=403,
        )
    return HttpResponse(
        prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST
    )


def _may_read_metrics(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    # What a proxy on this machine forwards comes from elsewhere.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Remembered:
    """A check asked by one caller at a time, its answer shared for a moment.

    A check that fails or hangs costs its callers one question, not one each.
    """

    def __init__(self, ask: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._answer: Check = {"ok": False, "reason": "not asked yet"}

    def __call__(self) -> Check:
        if not self._lock.acquire(timeout=_TIMEOUT):
            return {"ok": False, "reason": "does not answer in time"}
        try:
            if self._clock() >= self._until:
                self._answer = self._asked()
                self._until = self._clock() + _FRESH
            return self._answer
        finally:
            self._lock.release()

    def _asked(self) -> Check:
        try:
            self._ask()
        except Exception as error:
            # The message may hold an address with a password: the log redacts it, a page cannot.
            log.warning("health.failed", check=self._ask.__name__, error=str(error))
            return {"ok": False, "reason": f"does not answer ({type(error).__name__})"}
        return {"ok": True, "reason": ""}


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def broker() -> None:
    """The doorbell of deferred work, and the channel layer where it is Redis."""
    url = settings.CELERY_BROKER_URL
    if url.startswith("filesystem"):
        folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not writable")
    else:
        with kombu.Connection(url, connect_timeout=_TIMEOUT) as doorbell:
            doorbell.ensure_connection(max_retries=1, timeout=_TIMEOUT)
    if settings.REDIS_URL and url != settings.REDIS_URL:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        ) as client:
            client.ping()


def engine() -> Check:
    """Whether this process has its speech engine loaded and is not draining."""
    reason = runtime.unready_reason()
    return {"ok": reason is None, "reason": reason or ""}


CHECKS: dict[str, Callable[[], Check]] = {
    "database": Remembered(database),
    "broker": Remembered(broker),
    "engine": engine,
}
_PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
