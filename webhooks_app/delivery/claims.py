"""Which due deliveries a dispatcher gets, and how many dispatchers there are.

How leases work, and when one runs out: ``kallglot_site.leases``.
"""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from kallglot_site import crypto
from kallglot_site.leases import WorkQueue
from webhooks_app import signing
from webhooks_app.delivery.messages import Message
from webhooks_app.models import Delivery, DispatcherSlot, Endpoint, Event, SigningSecret
from webhooks_app.payloads import event_payload

LEASE = datetime.timedelta(seconds=60)  # a send's deadline is 30 s: the rest is for the database
SLOT_LEASE = datetime.timedelta(seconds=10)
PER_ENDPOINT = 32  # requests in flight to one endpoint, in the whole installation
ENDPOINTS_PER_CLAIM = 64

# Attempts are counted when they have an answer. When a dispatcher is killed, up to 256 deliveries
# are in flight: none is given up for that, and all are sent again when their leases have run out.
DELIVERIES = WorkQueue(
    name="deliveries",
    model=Delivery,
    task="webhooks_app.tasks.dispatch",
    open=Q(status=Delivery.Status.PENDING),
    lease_for=LEASE,
    due="next_attempt_at",
    lease="claim_id",
    attempts="",
)
SLOTS = WorkQueue(
    name="dispatchers",
    model=DispatcherSlot,
    task=DELIVERIES.task,
    open=Q(),
    lease_for=SLOT_LEASE,
    due="lease_expires_at",
    lease="owner",
    attempts="",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a claim may take: ``total`` rows, and per endpoint no more than ``shares`` says."""

    total: int
    shares: Mapping[str, int]
    after: str = ""  # rotates: endpoints beyond this id come first


def _candidates(now: datetime.datetime) -> QuerySet[Endpoint]:
    """Endpoints that may be sent to and have something due."""
    return Endpoint.objects.filter(
        Q(paused_until=None) | Q(paused_until__lte=now),
        Exists(DELIVERIES.rows_due(now).filter(endpoint=OuterRef("id"))),
        status=Endpoint.Status.ENABLED,
        deleted_at=None,
    )


def work_exists() -> bool:
    """Whether a dispatcher would find anything to do: due rows, or those of a dead dispatcher."""
    now = timezone.now()
    return _candidates(now).exists() or SLOTS.rows_due(now).exclude(owner="").exists()


def claim(owner: str, limits: Limits) -> list[Message]:
    """Take due rows for ``owner``, some of every endpoint that has any.

    Looks first without a transaction, so that polling an idle database locks nothing.
    """
    now = timezone.now()
    found = list(_candidates(now).order_by("id").values_list("id", "slowdown"))
    open_to = [
        (id, min(max(1, PER_ENDPOINT >> slowdown), limits.shares.get(id, PER_ENDPOINT)))
        for id, slowdown in found
        if limits.shares.get(id, PER_ENDPOINT) > 0
    ]
    if not open_to or limits.total < 1:
        return []
    rotated = [entry for entry in open_to if entry[0] > limits.after]
    rotated += [entry for entry in open_to if entry[0] <= limits.after]
    caps = dict(rotated[:ENDPOINTS_PER_CLAIM])
    fair = max(1, limits.total // len(caps))
    ids = _take(owner, {id: min(cap, fair) for id, cap in caps.items()}, caps, limits.total, now)
    return _load(owner, ids)


@transaction.atomic
def _take(
    owner: str,
    shares: Mapping[str, int],
    caps: Mapping[str, int],
    total: int,
    now: datetime.datetime,
) -> list[str]:
    """Lease rows of these endpoints, within their shares.

    An endpoint is locked while its requests in flight are counted, so the cap holds across
    dispatchers; one that another dispatcher has locked is skipped. SQLite has one writer anyway.
    """
    endpoints = list(
        Endpoint.objects.filter(id__in=list(shares), status=Endpoint.Status.ENABLED)
        .order_by("id")
        .select_for_update(no_key=True, skip_locked=True)
        .values_list("id", flat=True)
    )
    in_flight = dict(
        DELIVERIES.rows_leased(now)
        .filter(endpoint_id__in=endpoints)
        .values_list("endpoint_id")
        .annotate(Count("id"))
    )
    ids: list[str] = []
    for endpoint_id in endpoints:
        room = min(shares[endpoint_id], caps[endpoint_id] - in_flight.get(endpoint_id, 0))
        room = min(room, total - len(ids))
        if room > 0:
            ids += DELIVERIES.lock_due(_claimable(endpoint_id, now), room)
    if ids:
        DELIVERIES.claim_locked(ids, owner, now)
    return ids


def _claimable(endpoint_id: str, now: datetime.datetime) -> QuerySet[Delivery]:
    """Due, and no earlier event of the same session still awaits its first answer."""
    earlier = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        session_id=OuterRef("session_id"),
        sequence__lt=OuterRef("sequence"),
        status=Delivery.Status.PENDING,
        attempts=0,
    )
    return DELIVERIES.rows_due(now).filter(~Exists(earlier), endpoint_id=endpoint_id)


def _load(owner: str, ids: Sequence[str]) -> list[Message]:
    if not ids:
        return []
    rows = list(
        Delivery.objects.filter(id__in=ids, claim_id=owner)
        .select_related("event", "endpoint")
        .order_by("sequence", "id")
    )
    own = _own_secrets(row.endpoint for row in rows)
    now = timezone.now()
    return [
        Message(
            delivery_id=row.id,
            endpoint_id=row.endpoint_id,
            event_id=row.event_id,
            url=row.endpoint.url,
            body=_body(row.event),
            secrets=_secrets(
                own.get((row.endpoint.organization_id, row.endpoint.environment))
                if row.endpoint.kind == Endpoint.Kind.URL
                else row.endpoint,
                now,
            ),
            attempts=row.attempts,
            tries=row.tries,
            event_created_at=row.event.created_at,
            troubled=row.endpoint.failing_since is not None or row.endpoint.slowdown > 0,
        )
        for row in rows
    ]


def _body(event: Event) -> bytes:
    payload = event_payload(event)
    try:
        return orjson.dumps(payload)
    except TypeError:  # orjson refuses integers beyond 64 bits and lone surrogates
        return json.dumps(payload, separators=(",", ":")).encode()


def _own_secrets(endpoints: Iterable[Endpoint]) -> dict[tuple[str, str], SigningSecret]:
    """The organizations' own secrets, if any of these endpoints signs with one."""
    organizations = {
        endpoint.organization_id for endpoint in endpoints if endpoint.kind == Endpoint.Kind.URL
    }
    if not organizations:
        return {}
    return {
        (row.organization_id, row.environment): row
        for row in SigningSecret.objects.filter(organization_id__in=organizations)
    }


def _secrets(
    holder: Endpoint | SigningSecret | None, now: datetime.datetime
) -> tuple[str, ...] | None:
    """The secrets that sign now, the newest first. None: none of them can be decrypted."""
    if holder is None or holder.secret is None:
        return ()
    sealed = [holder.secret]
    if holder.previous_secret and holder.previous_expires_at and holder.previous_expires_at > now:
        sealed.append(holder.previous_secret)
    opened = (_opened(bytes(secret)) for secret in sealed)
    return tuple(secret for secret in opened if secret is not None) or None


def _opened(sealed: bytes) -> str | None:
    try:
        return signing.secret_open(sealed)
    except (crypto.DecryptionError, UnicodeDecodeError):  # affects only this endpoint
        return None


# --- Slots ---------------------------------------------------------------------------------------


def slot_acquire(owner: str, slots: int) -> bool:
    """Become one of at most ``slots`` dispatchers. Frees the slots and rows of dead ones first."""
    now = timezone.now()
    # One query and no transaction while all slots are taken: this runs every second.
    known = list(DispatcherSlot.objects.all())
    for slot in known:
        if slot.owner and slot.lease_expires_at and slot.lease_expires_at <= now:
            _dead_release(slot.owner)
    taken = {slot.number for slot in known if slot.lease_expires_at and slot.lease_expires_at > now}
    free = [number for number in range(1, slots + 1) if number not in taken]
    if not free:
        return False
    DispatcherSlot.objects.bulk_create(
        [DispatcherSlot(number=number) for number in free], ignore_conflicts=True
    )
    # Earlier versions leave it empty in a free slot.
    DispatcherSlot.objects.filter(lease_expires_at=None).update(lease_expires_at=now)
    return any(SLOTS.claim(number, owner) is not None for number in free)


@transaction.atomic
def _dead_release(owner: str) -> None:
    """Free what a dead dispatcher held, also in a slot that the settings no longer allow."""
    if SLOTS.rows_due().filter(owner=owner).select_for_update(skip_locked=True).first():
        DELIVERIES.release(owner)
        SLOTS.release(owner)


def slot_renew(owner: str) -> bool:
    """False: the slot was lost, since its lease ran out and another dispatcher took it."""
    return SLOTS.renew_held(owner) > 0


def slot_release(owner: str) -> None:
    SLOTS.release(owner)
