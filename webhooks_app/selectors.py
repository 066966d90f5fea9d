"""Every scoped read of events, endpoints and deliveries."""

from collections.abc import Collection
from typing import Final

from django.db.models import CharField, F, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.bounded_search import FIRST_BATCH_SIZE, Found, search_in_batches
from kallglot_site.api.lookup import get_or_not_found
from kallglot_site.api.pagination import KeysetPagination
from webhooks_app.event_types import CATALOG
from webhooks_app.models import Attempt, Delivery, Endpoint, Event

RARE: Final = 1000
"""Events. Of a type that has no more of them every single one can be looked at for a page."""


def endpoint_list(*, tenant: Tenant) -> QuerySet[Endpoint]:
    """Endpoints that are listed: those that were created, and not deleted."""
    return Endpoint.objects.filter(
        **tenant.filters, kind=Endpoint.Kind.SUBSCRIPTION, deleted_at=None
    )


def endpoints_switched_off(*, tenant: Tenant) -> QuerySet[Endpoint]:
    """Endpoints that were disabled because they failed for too long or answered 410."""
    reasons = (Endpoint.DisabledReason.GONE, Endpoint.DisabledReason.FAILING)
    return endpoint_list(tenant=tenant).filter(disabled_reason__in=reasons)


def endpoints_switched_off_label(tenant: Tenant) -> str:
    """For the navigation: how many, or an empty text."""
    return str(endpoints_switched_off(tenant=tenant).count() or "")


def endpoint_get(*, tenant: Tenant, endpoint_id: str) -> Endpoint:
    """Raises NotFound."""
    return get_or_not_found(
        endpoint_list(tenant=tenant), endpoint_id, prefix="wh", kind="webhook endpoint"
    )


def event_list(
    *,
    tenant: Tenant,
    scopes: Collection[str] | None = None,
    type: str | None = None,
    session_id: str | None = None,
) -> QuerySet[Event]:
    """Events whose objects ``scopes`` allow to read (None: all)."""
    events = Event.objects.filter(**tenant.filters)
    if type is not None:
        events = events.filter(type=type)
    if session_id is not None:
        events = events.filter(session_id=session_id)
    if scopes is not None:
        hidden = [kind.name for kind in CATALOG.values() if kind.scope and kind.scope not in scopes]
        if hidden:
            events = events.exclude(type__in=hidden)
    return events


def event_get(*, tenant: Tenant, event_id: str) -> Event:
    """Raises NotFound."""
    return get_or_not_found(
        Event.objects.filter(**tenant.filters), event_id, prefix="evt", kind="event"
    )


def _with_latest_attempt(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Each delivery's ``latest`` is a list of its last attempt, if there was one."""
    latest = Attempt.objects.filter(number=F("delivery__attempts"))
    return deliveries.select_related("event", "endpoint").prefetch_related(
        Prefetch("history", queryset=latest, to_attr="latest")
    )


def _tenant_deliveries(tenant: Tenant) -> QuerySet[Delivery]:
    own = Q(
        endpoint__organization_id=tenant.organization.id, endpoint__environment=tenant.environment
    )
    return _with_latest_attempt(Delivery.objects.filter(own, endpoint__deleted_at=None))


def delivery_list(*, endpoint: Endpoint, status: str | None = None) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.filter(endpoint=endpoint)
    if status is not None:
        deliveries = deliveries.filter(status=status)
    return _with_latest_attempt(deliveries)


def delivery_page(
    *,
    endpoint: Endpoint,
    page: KeysetPagination,
    status: str | None = None,
    type: str | None = None,
) -> Found[Delivery]:
    """The endpoint's deliveries from the page's cursor on; ``type``: of such events only.

    The table has no index on the type, because every event would have to write to it. Deliveries of
    a rare type are found through its events, those of other types by a search with a time limit.
    """
    deliveries = delivery_list(endpoint=endpoint, status=status)
    if type is None:
        return Found(*page.page(deliveries))
    named = _deliveries_of_rare(type, endpoint)
    if named is not None:
        return Found(*page.page(deliveries.filter(id__in=named)))
    return search_in_batches(
        deliveries,
        page,
        lambda within, first: within.filter(event__type=type),
        first_batch_size=FIRST_BATCH_SIZE,
    )


def _deliveries_of_rare(type: str, endpoint: Endpoint) -> list[str] | None:
    """The ids of what the endpoint was sent of the type; None: there are too many such events."""
    tenant = {"organization_id": endpoint.organization_id, "environment": endpoint.environment}
    events = Event.objects.filter(**tenant, type=type).order_by("-id").values_list("id", flat=True)
    newest = list(events[: RARE + 1])
    if len(newest) > RARE:
        return None
    # Kept from matching the endpoint's indexes, where SQLite would read all of its deliveries.
    receiver = Coalesce("endpoint_id", Value(""), output_field=CharField())
    sent = Delivery.objects.annotate(receiver=receiver)
    found = sent.filter(event_id__in=newest, receiver=endpoint.id)
    return list(found.values_list("id", flat=True))


def delivery_get(*, tenant: Tenant, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    return get_or_not_found(
        _tenant_deliveries(tenant), delivery_id, prefix="whd", kind="webhook delivery"
    )


def session_deliveries(*, tenant: Tenant, session_id: str) -> QuerySet[Delivery]:
    """The deliveries of one session's events, in the order of the events."""
    deliveries = _tenant_deliveries(tenant).filter(session_id=session_id)
    return deliveries.order_by("sequence", "endpoint_id")
