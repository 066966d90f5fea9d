"""Every scoped read of events, endpoints and deliveries."""

from collections.abc import Collection

from django.db.models import F, Prefetch, Q, QuerySet

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.lookup import get_or_not_found
from webhooks_app.events import CATALOG
from webhooks_app.models import Attempt, Delivery, Endpoint, Event


def endpoint_list(*, tenant: Tenant) -> QuerySet[Endpoint]:
    """The endpoints that exist for people and programs."""
    return Endpoint.objects.filter(
        **tenant.filters, kind=Endpoint.Kind.SUBSCRIPTION, deleted_at=None
    )


def endpoints_switched_off(*, tenant: Tenant) -> QuerySet[Endpoint]:
    """Those that nobody disabled: their receivers failed for too long, or said 410."""
    reasons = (Endpoint.DisabledReason.GONE, Endpoint.DisabledReason.FAILING)
    return endpoint_list(tenant=tenant).filter(disabled_reason__in=reasons)


def endpoints_switched_off_label(tenant: Tenant) -> str:
    """For the navigation: how many, or nothing."""
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


def delivery_list(
    *, endpoint: Endpoint, status: str | None = None, type: str | None = None
) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.filter(endpoint=endpoint)
    if status is not None:
        deliveries = deliveries.filter(status=status)
    if type is not None:
        # The tenant is the endpoint's: named for the index in which a rare type is found.
        deliveries = deliveries.filter(
            event__organization_id=endpoint.organization_id,
            event__environment=endpoint.environment,
            event__type=type,
        )
    return _with_latest_attempt(deliveries)


def delivery_get(*, tenant: Tenant, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    return get_or_not_found(
        _tenant_deliveries(tenant), delivery_id, prefix="whd", kind="webhook delivery"
    )


def session_deliveries(*, tenant: Tenant, session_id: str) -> QuerySet[Delivery]:
    """What endpoints were told of one session, in the order of its events."""
    events = Event.objects.filter(session_id=session_id).values("pk")  # deliveries have no index
    deliveries = _tenant_deliveries(tenant).filter(event__in=events)
    return deliveries.order_by("sequence", "endpoint_id")
