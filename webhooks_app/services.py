"""Every write of events, endpoints and deliveries, except those of the running dispatcher."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.ids import new_id
from webhooks_app import signing
from webhooks_app.delivery.claims import DELIVERIES
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.errors import (
    EndpointDisabled,
    EndpointUnknown,
    PayloadErased,
    TooManyEndpoints,
    UnknownEventType,
)
from webhooks_app.event_types import ALL, SUBSCRIBABLE
from webhooks_app.models import Attempt, Delivery, Endpoint, Event, EventCounter, SigningSecret

ROTATION_OVERLAP = datetime.timedelta(hours=24)
MAX_ENDPOINTS = 100  # per organization and environment

# --- Events --------------------------------------------------------------------------------------


def _numbers_take(session_id: str, count: int) -> range:
    """The session's next ``count`` event numbers. Holds the counter's row lock until the commit."""
    counter = EventCounter.objects.filter(session_id=session_id)
    if not counter.update(latest=F("latest") + count):
        # Two first events of a session at once: one insert is ignored, and both then count.
        EventCounter.objects.bulk_create(
            [EventCounter(session_id=session_id)], ignore_conflicts=True
        )
        counter.update(latest=F("latest") + count)
    latest = counter.values_list("latest", flat=True).get()
    return range(latest - count + 1, latest + 1)


def event_record(
    *, tenant: Tenant, type: str, data: dict[str, Any], session_id: str | None = None
) -> Event:
    """Write an event and a delivery for every endpoint that wants it, in the caller's transaction.

    They are committed only together with the change. ``data`` is the object as the API returns it,
    without tokens or secrets.
    """
    return events_record(tenant=tenant, type=type, data=[data], session_id=session_id)[0]


def events_record(
    *, tenant: Tenant, type: str, data: Sequence[dict[str, Any]], session_id: str | None = None
) -> list[Event]:
    """``event_record`` for several events of one type, in their order.

    Takes as many queries as for one event (SQLite: for each hundred or so).
    """
    events = _events_insert(tenant=tenant, type=type, data=data, session_id=session_id)
    endpoints = Endpoint.objects.filter(
        **tenant.filters,
        kind=Endpoint.Kind.SUBSCRIPTION,
        status=Endpoint.Status.ENABLED,
        deleted_at=None,
    ).values_list("id", "events")
    _deliveries_insert(events, [id for id, wanted in endpoints if ALL in wanted or type in wanted])
    return events


def _events_insert(
    *, tenant: Tenant, type: str, data: Sequence[dict[str, Any]], session_id: str | None = None
) -> list[Event]:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "an event belongs inside its change's transaction"
        )
    numbers = _numbers_take(session_id, len(data)) if session_id else [None] * len(data)
    # Sorted: lists are ordered by id, and ids of one millisecond are not.
    ids = sorted(new_id("evt") for _ in data)
    return Event.objects.bulk_create(
        Event(
            id=id,
            organization=tenant.organization,
            environment=tenant.environment,
            type=type,
            session_id=session_id,
            sequence=sequence,
            data=each,
        )
        for id, sequence, each in zip(ids, numbers, data, strict=True)
    )


def _deliveries_insert(events: Sequence[Event], endpoint_ids: Sequence[str]) -> list[Delivery]:
    wanted = [(event, endpoint_id) for event in events for endpoint_id in endpoint_ids]
    ids = sorted(new_id("whd") for _ in wanted)
    deliveries = Delivery.objects.bulk_create(
        Delivery(
            id=id,
            event=event,
            endpoint_id=endpoint_id,
            session_id=event.session_id,
            sequence=event.sequence,
        )
        for id, (event, endpoint_id) in zip(ids, wanted, strict=True)
    )
    if deliveries:
        DELIVERIES.ring()
    return deliveries


@transaction.atomic
def session_events_erase(*, session_id: str) -> int:
    """Erase the payloads of a session's events and the answers of receivers; cancel deliveries.

    The events stay as rows: that something happened, and when. Returns how many were erased.
    """
    deliveries = Delivery.objects.filter(session_id=session_id)
    # Locked in one order everywhere, so that two writers of several rows never wait for each other.
    locked = list(deliveries.order_by("id").select_for_update().values_list("id", flat=True))
    deliveries.filter(id__in=locked, status=Delivery.Status.PENDING).update(
        status=Delivery.Status.CANCELLED, next_attempt_at=None, claim_id=""
    )
    # By ids from the index: a join would read every attempt.
    Attempt.objects.filter(delivery__in=deliveries.values("id")).update(
        response_body="", response_headers={}, request_headers={}
    )
    return Event.objects.filter(session_id=session_id).update(
        data={"id": session_id, "object": "session", "erased": True}, erased_at=timezone.now()
    )


# --- Endpoints -----------------------------------------------------------------------------------


def _checked_types(events: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(events))
    if not chosen:
        raise UnknownEventType('Name at least one event type, or "*" for all.', param="events")
    if ALL in chosen:
        return [ALL]
    for name in chosen:
        if name not in SUBSCRIBABLE:
            raise UnknownEventType(
                f"There is no event type {name[:80]!r} to subscribe to. "
                f'Use "*" or some of: {", ".join(SUBSCRIBABLE)}.',
                param="events",
            )
    return chosen


@transaction.atomic
def endpoint_create(
    *, tenant: Tenant, url: CheckedUrl, events: Iterable[str], description: str = ""
) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is shown only now.

    Call ``url_check`` first, outside any transaction: it asks the name service.
    Raises UnknownEventType, TooManyEndpoints.
    """
    types = _checked_types(events)
    listed = Endpoint.objects.filter(
        **tenant.filters, kind=Endpoint.Kind.SUBSCRIPTION, deleted_at=None
    )
    if listed.count() >= MAX_ENDPOINTS:
        raise TooManyEndpoints(
            f"There are {MAX_ENDPOINTS} endpoints already. Delete one that is not needed."
        )
    secret = signing.secret_generate()
    endpoint = Endpoint.objects.create(
        **tenant.filters,
        url=url,
        events=types,
        description=description,
        secret=signing.secret_seal(secret),
    )
    return endpoint, secret


@transaction.atomic
def endpoint_update(
    *,
    endpoint: Endpoint,
    url: CheckedUrl | None = None,
    events: Iterable[str] | None = None,
    description: str | None = None,
    status: str | None = None,
) -> Endpoint:
    """Change what is given. Disabling cancels what is pending; enabling resets its health."""
    endpoint = _endpoint_locked(endpoint)
    if url is not None:
        endpoint.url = url
    if events is not None:
        endpoint.events = _checked_types(events)
    if description is not None:
        endpoint.description = description
    endpoint.save(update_fields=["url", "events", "description"])
    if status is not None and status != endpoint.status:
        if status == Endpoint.Status.ENABLED:
            _endpoint_enable(endpoint)
        else:
            endpoint_disable(endpoint=endpoint, reason=Endpoint.DisabledReason.MANUAL)
    return endpoint


def _endpoint_locked(endpoint: Endpoint) -> Endpoint:
    """The row as it is now, locked until the commit. Inserting deliveries for it is not blocked."""
    found = (
        Endpoint.objects.select_for_update(no_key=True)
        .filter(id=endpoint.id, deleted_at=None)
        .first()
    )
    if found is None:
        raise EndpointUnknown("There is no such webhook endpoint.")
    return found


def _endpoint_enable(endpoint: Endpoint) -> None:
    endpoint.status = Endpoint.Status.ENABLED
    endpoint.disabled_reason = endpoint.disabled_at = None
    endpoint.failing_since = endpoint.paused_until = None
    endpoint.slowdown = 0
    endpoint.save(
        update_fields=[
            "status",
            "disabled_reason",
            "disabled_at",
            "failing_since",
            "paused_until",
            "slowdown",
        ]
    )


@transaction.atomic
def endpoint_disable(*, endpoint: Endpoint, reason: str) -> None:
    """Stop sending, and cancel what is pending: it can be redelivered once the endpoint is back."""
    now = timezone.now()
    Endpoint.objects.filter(id=endpoint.id, status=Endpoint.Status.ENABLED).update(
        status=Endpoint.Status.DISABLED, disabled_reason=reason, disabled_at=now
    )
    endpoint.refresh_from_db(fields=["status", "disabled_reason", "disabled_at"])
    deliveries_cancel(endpoint_ids=[endpoint.id])


@transaction.atomic
def endpoint_delete(*, endpoint: Endpoint) -> None:
    """Hide the endpoint at once. Its rows are purged later, after the retention of events."""
    endpoint = _endpoint_locked(endpoint)
    endpoint.deleted_at = timezone.now()
    endpoint.secret = endpoint.previous_secret = None
    endpoint.save(update_fields=["deleted_at", "secret", "previous_secret"])
    deliveries_cancel(endpoint_ids=[endpoint.id])


@transaction.atomic
def deliveries_cancel(*, endpoint_ids: Iterable[str]) -> int:
    """Cancel what is pending for these endpoints, also what is being sent."""
    pending = Delivery.objects.filter(
        endpoint_id__in=list(endpoint_ids), status=Delivery.Status.PENDING
    )
    locked = [row.id for row in pending.order_by("id").only("id").select_for_update()]
    return Delivery.objects.filter(id__in=locked).update(
        status=Delivery.Status.CANCELLED, next_attempt_at=None, claim_id=""
    )


# --- Secrets -------------------------------------------------------------------------------------


@transaction.atomic
def endpoint_secret_rotate(*, endpoint: Endpoint) -> tuple[Endpoint, str]:
    """A new secret, shown only now. The old one signs as well for 24 hours."""
    endpoint = _endpoint_locked(endpoint)
    return endpoint, _rotate(endpoint)


def organization_secret(*, tenant: Tenant) -> str:
    """The organization's own signing secret in this environment, made when first asked for."""
    return signing.secret_open(bytes(_signing_secret(tenant).secret))


@transaction.atomic
def organization_secret_rotate(*, tenant: Tenant) -> str:
    """A new secret for deliveries to given URLs. The old one signs as well for 24 hours."""
    _signing_secret(tenant)
    return _rotate(SigningSecret.objects.select_for_update().get(**tenant.filters))


def _signing_secret(tenant: Tenant) -> SigningSecret:
    found, _ = SigningSecret.objects.get_or_create(
        organization=tenant.organization,
        environment=tenant.environment,
        defaults={"secret": signing.secret_seal(signing.secret_generate())},
    )
    return found


def _rotate(row: Endpoint | SigningSecret) -> str:
    secret = signing.secret_generate()
    row.previous_secret = row.secret
    row.previous_expires_at = timezone.now() + ROTATION_OVERLAP
    row.secret = signing.secret_seal(secret)
    row.save(update_fields=["secret", "previous_secret", "previous_expires_at"])
    return secret


# --- Deliveries ----------------------------------------------------------------------------------


def delivery_create_for_url(*, tenant: Tenant, event: Event, url: str) -> Delivery:
    """Deliver an event to a URL that came with a request, signed with the organization's secret.

    Belongs inside the transaction that records the event. The URL must have passed ``url_check``
    when it was given; connecting checks it again.
    """
    _signing_secret(tenant)
    # Locked: the purge must not delete the row before its delivery exists.
    endpoint, _ = Endpoint.objects.select_for_update(no_key=True).get_or_create(
        organization=tenant.organization,
        environment=tenant.environment,
        kind=Endpoint.Kind.URL,
        url=url,
    )
    return _deliveries_insert([event], [endpoint.id])[0]


@transaction.atomic
def endpoint_test(*, endpoint: Endpoint) -> Delivery:
    """Send a ``webhook.test`` event to this endpoint alone. Raises EndpointDisabled."""
    endpoint = _endpoint_locked(endpoint)
    if not endpoint.is_enabled:
        raise EndpointDisabled("The endpoint is disabled. Enable it to test it.", param="status")
    events = _events_insert(
        tenant=Tenant(endpoint.organization, endpoint.environment),
        type="webhook.test",
        data=[
            {
                "id": endpoint.id,
                "object": "webhook_endpoint",
                "url": endpoint.url,
                "events": endpoint.events,
                "description": endpoint.description,
            }
        ],
    )
    return _deliveries_insert(events, [endpoint.id])[0]


@transaction.atomic
def delivery_redeliver(*, delivery: Delivery) -> Delivery:
    """Send again, now. One that is being sent already is left alone.

    The schedule of retries starts anew, a minute after the first failure: somebody who asks for a
    redelivery expects the receiver to work. ``attempts`` counts on, ``tries`` starts at 0.

    Raises EndpointDisabled, PayloadErased.
    """
    if not delivery.endpoint.is_enabled:
        raise EndpointDisabled("The endpoint is disabled or deleted.", param="status")
    if delivery.event.erased_at is not None:
        raise PayloadErased("The event's payload was erased along with its session.")
    _make_due(Delivery.objects.filter(id=delivery.id, claim_id=""))
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def endpoint_redeliver(*, endpoint: Endpoint, since: datetime.datetime) -> int:
    """Send again whatever failed or was cancelled since then. Returns how many."""
    if not endpoint.is_enabled:
        raise EndpointDisabled("The endpoint is disabled. Enable it first.", param="status")
    missed = Delivery.objects.filter(
        endpoint=endpoint,
        status__in=[Delivery.Status.FAILED, Delivery.Status.CANCELLED],
        created_at__gte=since,
        event__erased_at=None,
    )
    locked = [row.id for row in missed.order_by("id").only("id").select_for_update(of=("self",))]
    return _make_due(Delivery.objects.filter(id__in=locked))


def _make_due(deliveries: Any) -> int:
    changed: int = deliveries.update(
        status=Delivery.Status.PENDING, next_attempt_at=timezone.now(), tries=0
    )
    if changed:
        DELIVERIES.ring()
    return changed
