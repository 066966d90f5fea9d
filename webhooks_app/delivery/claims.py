"""Taking due rows, fairly, and giving back what a dead dispatcher had taken."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from kallglot_site import crypto
from webhooks_app import signing
from webhooks_app.delivery.messages import Message
from webhooks_app.events import event_payload
from webhooks_app.models import Delivery, DispatcherSlot, Endpoint, SigningSecret

LEASE = datetime.timedelta(seconds=60)  # a send's deadline is 30 s: the rest is for the database
SLOT_LEASE = datetime.timedelta(seconds=10)
PER_ENDPOINT = 32  # requests in flight to one endpoint, in the whole installation
ENDPOINTS_PER_CLAIM = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What a claim may take: ``total`` rows, and per endpoint no more than ``shares`` says."""

    total: int
    shares: Mapping[str, int]
    after: str = ""  # rotates: endpoints beyond this id come first


def _due(now: datetime.datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(status=Delivery.Status.PENDING, next_attempt_at__lte=now)


def _candidates(now: datetime.datetime) -> QuerySet[Endpoint]:
    """Endpoints that may be sent to and have something due."""
    return Endpoint.objects.filter(
        Q(paused_until=None) | Q(paused_until__lte=now),
        Exists(_due(now).filter(endpoint=OuterRef("id"))),
        status=Endpoint.Status.ENABLED,
        deleted_at=None,
    )


def work_exists() -> bool:
    """Whether a dispatcher would find anything to do: due rows, or a dead dispatcher's."""
    now = timezone.now()
    return (
        _candidates(now).exists()
        or DispatcherSlot.objects.filter(lease_expires_at__lte=now).exclude(owner="").exists()
    )


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
    """Where the database can, the endpoints are locked and those of another claimer skipped.

    Whoever counts what is in flight is thus alone with the endpoint, and the cap holds across
    dispatchers; elsewhere (SQLite) transactions are alone anyway.
    """
    endpoints = list(
        Endpoint.objects.filter(id__in=list(shares), status=Endpoint.Status.ENABLED)
        .order_by("id")
        .select_for_update(no_key=True, skip_locked=True)
        .values_list("id", flat=True)
    )
    in_flight = dict(
        Delivery.objects.filter(
            endpoint_id__in=endpoints,
            status=Delivery.Status.PENDING,
            claim_id__gt="",
            next_attempt_at__gt=now,
        )
        .values_list("endpoint_id")
        .annotate(Count("id"))
    )
    ids: list[str] = []
    for endpoint_id in endpoints:
        room = min(shares[endpoint_id], caps[endpoint_id] - in_flight.get(endpoint_id, 0))
        room = min(room, total - len(ids))
        if room > 0:
            ids += _claimable(endpoint_id, now)[:room]
    if ids:
        _due(now).filter(id__in=ids).update(claim_id=owner, next_attempt_at=now + LEASE)
    return ids


def _claimable(endpoint_id: str, now: datetime.datetime) -> QuerySet[Delivery, str]:
    """Due, and no earlier event of the same session still awaits its first answer."""
    earlier = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        session_id=OuterRef("session_id"),
        sequence__lt=OuterRef("sequence"),
        status=Delivery.Status.PENDING,
        attempts=0,
    )
    return (
        _due(now)
        .filter(~Exists(earlier), endpoint_id=endpoint_id)
        .order_by("next_attempt_at")
        .select_for_update(skip_locked=True)
        .values_list("id", flat=True)
    )


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
            body=orjson.dumps(event_payload(row.event)),
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
    """The secrets that sign now, the newest first. None: there are some, and none can be opened."""
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
    except crypto.DecryptionError:  # sealed under another secret key: no reason to stop the others
        return None


# --- Slots ---------------------------------------------------------------------------------------


def slot_acquire(owner: str, slots: int) -> bool:
    """Become one of at most ``slots`` dispatchers. Takes over from a dead one, with its rows."""
    now = timezone.now()
    known = dict(DispatcherSlot.objects.values_list("number", "lease_expires_at"))
    numbers = range(1, slots + 1)
    if all((known.get(number) or now) > now for number in numbers):
        return False  # every sweep comes by here: it must not cost a transaction
    DispatcherSlot.objects.bulk_create(
        [DispatcherSlot(number=number) for number in numbers if number not in known],
        ignore_conflicts=True,
    )
    return _slot_take(owner, slots, now)


@transaction.atomic
def _slot_take(owner: str, slots: int, now: datetime.datetime) -> bool:
    slot = (
        DispatcherSlot.objects.filter(
            Q(lease_expires_at=None) | Q(lease_expires_at__lte=now), number__lte=slots
        )
        .order_by("number")
        .select_for_update(skip_locked=True)
        .first()
    )
    if slot is None:
        return False
    if slot.owner:
        claims_release(slot.owner)
    slot.owner, slot.lease_expires_at = owner, now + SLOT_LEASE
    slot.save(update_fields=["owner", "lease_expires_at"])
    return True


def slot_renew(owner: str) -> bool:
    """False when the slot was lost: somebody thought us dead."""
    return bool(
        DispatcherSlot.objects.filter(owner=owner).update(
            lease_expires_at=timezone.now() + SLOT_LEASE
        )
    )


def slot_release(owner: str) -> None:
    DispatcherSlot.objects.filter(owner=owner).update(owner="", lease_expires_at=None)


def claims_release(owner: str) -> int:
    """Make due again what a dispatcher had claimed and will not finish."""
    return Delivery.objects.filter(claim_id=owner, status=Delivery.Status.PENDING).update(
        claim_id="", next_attempt_at=timezone.now()
    )
