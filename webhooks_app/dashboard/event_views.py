"""Event pages for admins: the list, the catalog, and the panel on a session's page."""

import itertools
import json
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kallglot_site.accounts.dashboard.paging import page_of
from webhooks_app import selectors
from webhooks_app.dashboard.forms import EventFilter
from webhooks_app.dashboard.views import WebhooksView
from webhooks_app.event_types import CATALOG
from webhooks_app.models import Event
from webhooks_app.payloads import event_payload
from webhooks_app.schemas import EVENT_SCHEMAS

PANEL_SIZE = 200


class EventsView(WebhooksView):
    def get(self, request: HttpRequest) -> HttpResponse:
        filter = EventFilter(request.GET)
        events = selectors.event_list(tenant=self.request.tenant, **filter.criteria())
        context = {
            "filter": filter,
            "filtered": bool(filter.criteria()),
            "page": page_of(request, events, prefix="evt"),
        }
        return render(request, "webhooks/events.html", context)


class EventView(WebhooksView):
    def get(self, request: HttpRequest, event_id: str) -> HttpResponse:
        event = selectors.event_get(tenant=self.request.tenant, event_id=event_id)
        context = {
            "event": event,
            "kind": CATALOG.get(event.type),
            "payload": json.dumps(event_payload(event), indent=2, ensure_ascii=False),
            "deliveries": event.deliveries.select_related("endpoint").order_by("id")[:200],
        }
        return render(request, "webhooks/event.html", context)


class CatalogView(WebhooksView):
    """Every event type, with its JSON schema."""

    def get(self, request: HttpRequest) -> HttpResponse:
        kinds = [
            (kind, json.dumps(EVENT_SCHEMAS[kind.name], indent=2)) for kind in CATALOG.values()
        ]
        return render(request, "webhooks/catalog.html", {"kinds": kinds})


class PanelView(WebhooksView):
    """A session's events and the status of their deliveries. Refreshes while one is pending."""

    def get(self, request: HttpRequest, session_id: str) -> HttpResponse:
        tenant = self.request.tenant
        events = list(
            selectors.event_list(tenant=tenant, session_id=session_id).order_by("-sequence")[
                :PANEL_SIZE
            ]
        )
        statuses: dict[str, list[str]] = {event.id: [] for event in events}
        for event_id, status in selectors.session_deliveries(
            tenant=tenant, session_id=session_id
        ).values_list("event_id", "status"):
            if event_id in statuses:
                statuses[event_id].append(status)
        context = {
            "session_id": session_id,
            "rows": _grouped((event, _status_of(statuses[event.id])) for event in events),
            "live": any("pending" in each for each in statuses.values()),
        }
        return render(request, "webhooks/panel.html", context)


def _grouped(
    events: Iterable[tuple[Event, tuple[str, str]]],
) -> list[tuple[Event, tuple[str, str], int]]:
    """Groups events in a row with the same type and status: the latest one, and how many."""
    grouped = itertools.groupby(events, key=lambda each: (each[0].type, each[1]))
    runs = [(status, [event for event, _ in group]) for (_, status), group in grouped]
    return [(run[0], status, len(run)) for status, run in runs]


def _status_of(statuses: list[str]) -> tuple[str, str]:
    """The worst status of several deliveries, and its tone."""
    for status, tone in (("failed", "bad"), ("pending", "busy"), ("cancelled", "")):
        if status in statuses:
            return status, tone
    return ("delivered", "ok") if statuses else ("no endpoint", "")
