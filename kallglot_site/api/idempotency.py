"""The ``Idempotency-Key`` header: a repeated request has no second effect and gets the same answer.

The action and its stored answer are written in one transaction, so a crash leaves both or neither,
and the key of a failed request can be used again. Requests with the same key run one after the
other: each holds a lock until its transaction ends. On PostgreSQL that is an advisory lock, on
SQLite the write lock.
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
LOCK_WAIT = 2.0  # seconds that a repeated request waits for the first one to finish
_POLL = 0.05  # seconds between attempts at the lock
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_PURPOSE = "idempotent response"

Action = Callable[..., Any]


class IdempotencyConflict(ApiError):
    code = "idempotency_conflict"


class IdempotencyMismatch(ApiError):
    code = "idempotency_mismatch"


class _Busy(Exception):
    """Another request holds the key's lock."""


@overload
def idempotent(method: Action, /) -> Action: ...
@overload
def idempotent(*, prepare: Action) -> Callable[[Action], Action]: ...


def idempotent(method: Action | None = None, /, *, prepare: Action | None = None) -> Any:
    """An action of a V1ViewSet that honours ``Idempotency-Key``.

    The action runs in a transaction, so it must not use the network. Network calls (resolving a
    host name) belong in ``prepare(self, request, **route)``. It runs before the transaction, and
    not for a replay. The action gets its result as the keyword ``prepared``.
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
    """One request with its key."""

    def __init__(self, view: "V1ViewSet", key: str) -> None:
        if not _KEY.fullmatch(key):
            raise InvalidFieldValue(
                "`Idempotency-Key` must be 1 to 255 printable ASCII characters.",
                param="Idempotency-Key",
            )
        self.tenant: Tenant = view.tenant
        self.key = key
        self.fingerprint = _fingerprint(view)

    def run(self, work: Callable[[], Response]) -> HttpResponse:
        """The stored answer, else that of ``work``.

        Raises IdempotencyConflict, IdempotencyMismatch.
        """
        deadline = time.monotonic() + LOCK_WAIT
        while True:  # no retry library: it would log each wait as a failure
            try:
                with _busy_is_conflict(), transaction.atomic():
                    self._lock()
                    return self.replay() or self._work_and_store(work)
            except _Busy:
                if time.monotonic() >= deadline:
                    raise IdempotencyConflict(
                        "A request with this Idempotency-Key is still running. Retry in 2 s.",
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
                "The object that this request created was erased. Use a new Idempotency-Key.",
                code="resource_not_found",
            )
        if stored.fingerprint != self.fingerprint:
            raise IdempotencyMismatch(
                "This Idempotency-Key was already used for a different request. Use a new key."
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
            # Overwrites an expired answer that has not been deleted yet.
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
            return  # on SQLite every transaction begins by taking the write lock
        number = lock_number(self.tenant.organization.pk, self.tenant.environment, self.key)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            if not cursor.fetchone()[0]:
                raise _Busy


def lock_number(organization_id: str, environment: str, key: str) -> int:
    """The 64-bit number of a key's advisory lock."""
    name = f"idempotency:{organization_id}:{environment}:{key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _busy_is_conflict() -> Iterator[None]:
    """On SQLite: raise IdempotencyConflict if the write lock is not free after ``LOCK_WAIT``."""
    try:
        with sqlite_busy_timeout(LOCK_WAIT):
            yield
    except OperationalError as error:
        if connection.vendor != "sqlite" or "locked" not in str(error):
            raise
        raise IdempotencyConflict(
            "The database is busy, perhaps with a request with this Idempotency-Key. Retry in 2 s.",
            headers={"Retry-After": "2"},
        ) from None


def _own_headers(response: Response) -> dict[str, str]:
    return {
        name: value for name, value in response.headers.items() if name.lower() != "content-type"
    }


def _about(data: Any) -> str:
    """The id of the session that an answer belongs to, else of its object, else ""."""
    if not isinstance(data, Mapping):
        return ""
    return str(data.get("session_id") or data.get("id") or "")


def idempotent_responses_erase(about: str) -> None:
    """Erase the stored answers about an object. Their keys stay used, so a retry creates nothing.

    The fingerprint is erased too, because a phone number could be guessed from it.
    """
    stored = IdempotentResponse.objects.filter(about=about)
    stored.update(body=b"", headers={}, fingerprint="")


def _fingerprint(view: "V1ViewSet") -> str:
    """A hash of what identifies a request: method, path, query and the body's JSON value."""
    request = view.request
    body = json.dumps(view.json, sort_keys=True, separators=(",", ":"))
    parts = [request.method or "", request.path, request.META.get("QUERY_STRING", ""), body]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def idempotent_responses_sweep(*, batch: int = 1000) -> int:
    """Delete answers older than 24 hours. Returns how many."""
    swept = 0
    while True:
        expired = IdempotentResponse.objects.filter(created_at__lt=timezone.now() - RETENTION)
        ids = list(expired.values_list("pk", flat=True)[:batch])
        swept += len(ids)
        if ids:
            IdempotentResponse.objects.filter(pk__in=ids).delete()
        if len(ids) < batch:
            return swept
