"""Safe retries: one key, one effect, one answer (contract section 1, Idempotency).

Claim, work and stored answer are one transaction, so a crash leaves either nothing or everything,
and a request that fails does not burn its key. Racing requests with one key meet at a lock that
lives and dies with the transaction: an advisory lock on PostgreSQL; on SQLite the write lock.
"""

import datetime
import functools
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.response import Response

from kallglot_site import crypto
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.errors import ApiError, InvalidFieldValue
from kallglot_site.api.models import IdempotentResponse
from kallglot_site.api.renderers import JSONRenderer
from kallglot_site.api.sqlite_timeouts import sqlite_busy_timeout

if TYPE_CHECKING:
    from kallglot_site.api.viewsets import V1ViewSet

RETENTION = datetime.timedelta(hours=24)
LOCK_WAIT = 2.0  # seconds that a duplicate waits for the first one's answer
_POLL = 0.05  # seconds between attempts at the lock
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_PURPOSE = "idempotent response"

Action = Callable[..., Any]


class IdempotencyConflict(ApiError):
    code = "idempotency_conflict"


class IdempotencyMismatch(ApiError):
    code = "idempotency_mismatch"


class _Busy(Exception):
    """Somebody else holds the key's lock."""


@overload
def idempotent(method: Action, /) -> Action: ...
@overload
def idempotent(*, prepare: Action) -> Callable[[Action], Action]: ...


def idempotent(method: Action | None = None, /, *, prepare: Action | None = None) -> Any:
    """An action of a V1ViewSet that honours ``Idempotency-Key``.

    The action runs inside the claim's transaction: it must not touch the network. What it needs
    from there (resolving a host name) belongs into ``prepare(self, request, **route)``, which runs
    before the transaction, not at all for a replay, and whose result the action gets as the
    keyword ``prepared``.
    """

    def decorate(action: Action) -> Action:
        @functools.wraps(action)
        def wrapped(self: "V1ViewSet", request: Any, *args: Any, **kwargs: Any) -> Any:
            key = request.headers.get("Idempotency-Key")
            claim = None if key is None else _Claim(self, key)
            if claim and (replay := prepare and claim.replay()):
                return replay
            if prepare is not None:
                kwargs["prepared"] = prepare(self, request, *args, **kwargs)
            work = functools.partial(action, self, request, *args, **kwargs)
            return claim.run(work) if claim else work()

        wrapped.idempotent = True  # type: ignore[attr-defined]  # read by the schema
        return wrapped

    return decorate if method is None else decorate(method)


class _Claim:
    """One request's claim on its key."""

    def __init__(self, view: "V1ViewSet", key: str) -> None:
        if not _KEY.fullmatch(key):
            raise InvalidFieldValue(
                "`Idempotency-Key` must have 1 to 255 printable ASCII characters.",
                param="Idempotency-Key",
            )
        self.tenant: Tenant = view.tenant
        self.key = key
        self.fingerprint = _fingerprint(view)

    def run(self, work: Callable[[], Response]) -> HttpResponse:
        """The stored answer, or the work's. Raises IdempotencyConflict, IdempotencyMismatch."""
        deadline = time.monotonic() + LOCK_WAIT
        while True:  # waits for a lock; a retry library would log each look as a failure
            try:
                with _busy_is_conflict(), transaction.atomic():
                    self._lock()
                    return self.replay() or self._work_and_store(work)
            except _Busy:
                if time.monotonic() >= deadline:
                    raise IdempotencyConflict(
                        "A request with this Idempotency-Key is still running.",
                        headers={"Retry-After": "2"},
                    ) from None
                time.sleep(_POLL)

    def replay(self) -> HttpResponse | None:
        stored = IdempotentResponse.objects.filter(
            **self.tenant.filters, key=self.key, created_at__gt=timezone.now() - RETENTION
        ).first()
        if stored is None:
            return None
        if not stored.body:
            raise ApiError(
                "The object that this request made was erased. Use a fresh key.",
                code="resource_not_found",
            )
        if stored.fingerprint != self.fingerprint:
            raise IdempotencyMismatch(
                "This Idempotency-Key was used with another request. Use a fresh key."
            )
        body = crypto.decrypt(bytes(stored.body), purpose=_PURPOSE)
        headers = {**stored.headers, "Idempotent-Replayed": "true"}
        return HttpResponse(body, status=stored.status, headers=headers)

    def _work_and_store(self, work: Callable[[], Response]) -> HttpResponse:
        response = work()
        headers = {"Content-Type": "application/json", **_own_headers(response)}
        body = JSONRenderer().render(response.data)
        if 200 <= response.status_code < 300:
            stored = {
                "fingerprint": self.fingerprint,
                "status": response.status_code,
                "headers": headers,
                "body": crypto.encrypt(body, purpose=_PURPOSE),
                "about": _about(response.data),
                "created_at": timezone.now(),
            }
            # An expired answer may still be there: it is overwritten.
            IdempotentResponse.objects.bulk_create(
                [
                    IdempotentResponse(
                        organization=self.tenant.organization,
                        environment=self.tenant.environment,
                        key=self.key,
                        **stored,
                    )
                ],
                update_conflicts=True,
                unique_fields=["organization", "environment", "key"],
                update_fields=list(stored),
            )
        return HttpResponse(body, status=response.status_code, headers=headers)

    def _lock(self) -> None:
        if connection.vendor != "postgresql":
            return  # the transaction itself began with the write lock
        number = lock_number(self.tenant.organization.pk, self.tenant.environment, self.key)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            if not cursor.fetchone()[0]:
                raise _Busy


def lock_number(organization_id: str, environment: str, key: str) -> int:
    """The 64-bit name of a key's advisory lock."""
    name = f"idempotency:{organization_id}:{environment}:{key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _busy_is_conflict() -> Iterator[None]:
    """On SQLite: wait for the write lock no longer than for a duplicate, and call that busy."""
    try:
        with sqlite_busy_timeout(LOCK_WAIT):
            yield
    except OperationalError as error:
        if connection.vendor != "sqlite" or "locked" not in str(error):
            raise
        raise IdempotencyConflict(
            "The database is busy, perhaps with a request of this Idempotency-Key.",
            headers={"Retry-After": "2"},
        ) from None


def _own_headers(response: Response) -> dict[str, str]:
    return {
        name: value for name, value in response.headers.items() if name.lower() != "content-type"
    }


def _about(data: Any) -> str:
    """The id of the session that an answer is about, else of its object; "": of neither."""
    if not isinstance(data, Mapping):
        return ""
    return str(data.get("session_id") or data.get("id") or "")


def idempotent_responses_erase(about: str) -> None:
    """Forget what was answered about an object. Its keys stay used: a retry makes nothing new.

    The fingerprint goes too: a phone number can be guessed from it.
    """
    stored = IdempotentResponse.objects.filter(about=about)
    stored.update(body=b"", headers={}, fingerprint="")


def _fingerprint(view: "V1ViewSet") -> str:
    """What makes two requests the same: method, path, query and the body's meaning."""
    request = view.request
    body = json.dumps(view.json, sort_keys=True, separators=(",", ":"))
    parts = [request.method or "", request.path, request.META.get("QUERY_STRING", ""), body]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def idempotent_responses_sweep(*, batch: int = 1000) -> int:
    """Delete answers past their 24 hours; how many."""
    swept = 0
    while True:
        expired = IdempotentResponse.objects.filter(created_at__lt=timezone.now() - RETENTION)
        ids = list(expired.values_list("pk", flat=True)[:batch])
        swept += len(ids)
        if ids:
            IdempotentResponse.objects.filter(pk__in=ids).delete()
        if len(ids) < batch:
            return swept
