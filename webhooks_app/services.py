"""Every write of events and deliveries."""

from typing import Any

from django.db import connection, transaction
from django.db.models import F

from kallglot_site.accounts.tenancy import Tenant
from webhooks_app.models import Event, EventCounter


def _next_sequence(session_id: str) -> int:
    """The session's next event number. Holds the counter's row lock until the commit."""
    if not EventCounter.objects.filter(session_id=session_id).update(latest=F("latest") + 1):
        # A racing first event of the same session: the loser's insert is ignored, then counts on.
        EventCounter.objects.bulk_create(
            [EventCounter(session_id=session_id)], ignore_conflicts=True
        )
        EventCounter.objects.filter(session_id=session_id).update(latest=F("latest") + 1)
    return EventCounter.objects.values_list("latest", flat=True).get(session_id=session_id)


def event_record(
    *, tenant: Tenant, type: str, data: dict[str, Any], session_id: str | None = None
) -> Event:
    """Write an event into the caller's transaction: it happens exactly if the change does.

    ``data`` is the object as the API returns it, without tokens or secrets.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "event_record belongs inside the change's transaction"
        )
    return Event.objects.create(
        organization=tenant.organization,
        environment=tenant.environment,
        type=type,
        session_id=session_id,
        sequence=_next_sequence(session_id) if session_id else None,
        data=data,
    )


def session_events_erase(*, session_id: str) -> None:
    """Empty the payloads of a session's events; that they happened stays known."""
    Event.objects.filter(session_id=session_id).update(
        data={"id": session_id, "object": "session", "erased": True}
    )
