"""Webhook pages for admins: endpoints, deliveries, secrets. Events are in ``event_views.py``."""

import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.paging import cursors_of, page_of, page_with
from kallglot_site.api.errors import ApiError, NotFound
from webhooks_app import selectors, services
from webhooks_app.dashboard.forms import HOURS, DeliveryFilter, EndpointForm, RedeliverForm
from webhooks_app.event_types import CATALOG
from webhooks_app.health import endpoint_health, endpoints_health
from webhooks_app.models import Delivery, Endpoint


class WebhooksView(AdminRequired, StaffView):
    """Base of the webhook pages: admins only, and 404 for an unknown id."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.message) from error

    def endpoint(self, endpoint_id: str) -> Endpoint:
        return selectors.endpoint_get(tenant=self.request.tenant, endpoint_id=endpoint_id)

    def delivery(self, delivery_id: str) -> Delivery:
        return selectors.delivery_get(tenant=self.request.tenant, delivery_id=delivery_id)


class EndpointsView(WebhooksView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(EndpointForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = EndpointForm(request.POST)
        if not form.is_valid():
            return self.page(form, status=422, opened=True)
        try:
            with transaction.atomic():
                endpoint, secret = services.endpoint_create(
                    tenant=self.request.tenant, **form.arguments()
                )
                audit(self.request, "webhook_endpoint.created", endpoint.id, endpoint.url)
        except ApiError as error:
            form.add_error(None, error.message)
            return self.page(form, status=422, opened=True)
        return self.page(EndpointForm(), secret=secret, made=endpoint)

    def page(self, form: EndpointForm, status: int = 200, **extra: Any) -> HttpResponse:
        endpoints = selectors.endpoint_list(tenant=self.request.tenant)
        page = page_of(self.request, endpoints, prefix="wh", size=25)
        context = {
            "form": form,
            "page": page,
            "rows": list(zip(page.rows, endpoints_health(page.rows), strict=True)),
            "switched_off": selectors.endpoints_switched_off(tenant=self.request.tenant).order_by(
                "-disabled_at"
            )[:5],
            **extra,
        }
        return render(self.request, "webhooks/endpoints.html", context, status=status)


class SigningSecretView(EndpointsView):
    """The organization's secret. It is shown in the response to the POST only."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return redirect("webhooks:endpoints")

    def post(self, request: HttpRequest) -> HttpResponse:
        rotate = request.POST.get("action") == "rotate"
        tenant = self.request.tenant
        with transaction.atomic():
            secret = (
                services.organization_secret_rotate if rotate else services.organization_secret
            )(tenant=tenant)
            action = "rotated" if rotate else "revealed"
            audit(self.request, f"signing_secret.{action}", tenant.organization.id)
        return self.page(EndpointForm(), own_secret=secret, rotated=rotate)


class EndpointView(WebhooksView):
    """One endpoint and its deliveries. POST saves its settings."""

    def get(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        return self.page(endpoint, EndpointForm.of(endpoint))

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        form = EndpointForm(request.POST)
        if not form.is_valid():
            return self.page(endpoint, form, status=422, opened=True)
        with transaction.atomic():
            services.endpoint_update(endpoint=endpoint, **form.arguments())
            audit(self.request, "webhook_endpoint.changed", endpoint.id, form.cleaned_data["url"])
        messages.success(request, "Saved.")
        return redirect("webhooks:endpoint", endpoint_id)

    def page(
        self, endpoint: Endpoint, form: EndpointForm, status: int = 200, **extra: Any
    ) -> HttpResponse:
        filter = DeliveryFilter(self.request.GET)
        cursors = cursors_of(self.request, prefix="whd")
        found = selectors.delivery_page(endpoint=endpoint, page=cursors, **filter.criteria())
        context = {
            "endpoint": endpoint,
            "form": form,
            "filter": filter,
            "filtered": bool(filter.criteria()),
            "page": page_with(self.request, cursors, found.rows, found.more, found.reached),
            "health": endpoint_health(endpoint),
            "hours": HOURS,
            **extra,
        }
        return render(self.request, "webhooks/endpoint.html", context, status=status)


class EndpointRotateView(EndpointView):
    def get(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        return redirect("webhooks:endpoint", endpoint_id)

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        with transaction.atomic():
            endpoint, secret = services.endpoint_secret_rotate(endpoint=self.endpoint(endpoint_id))
            audit(self.request, "webhook_endpoint.secret_rotated", endpoint.id, endpoint.url)
        return self.page(endpoint, EndpointForm.of(endpoint), secret=secret)


class EndpointActionView(WebhooksView):
    """``enable``, ``disable``, ``delete``, ``test`` and ``redeliver``, by POST."""

    def post(self, request: HttpRequest, endpoint_id: str, action: str) -> HttpResponse:
        endpoint = self.endpoint(endpoint_id)
        try:
            with transaction.atomic():
                audit(self.request, f"webhook_endpoint.{action}", endpoint.id, endpoint.url)
                return getattr(self, f"_{action}")(endpoint)  # type: ignore[no-any-return]  # below
        except ApiError as error:
            messages.error(request, error.message)
            return redirect("webhooks:endpoint", endpoint_id)

    def _enable(self, endpoint: Endpoint) -> HttpResponse:
        services.endpoint_update(endpoint=endpoint, status=Endpoint.Status.ENABLED)
        messages.success(self.request, "The endpoint receives events again.")
        return redirect("webhooks:endpoint", endpoint.id)

    def _disable(self, endpoint: Endpoint) -> HttpResponse:
        services.endpoint_update(endpoint=endpoint, status=Endpoint.Status.DISABLED)
        messages.success(self.request, "The endpoint receives no more events.")
        return redirect("webhooks:endpoint", endpoint.id)

    def _delete(self, endpoint: Endpoint) -> HttpResponse:
        services.endpoint_delete(endpoint=endpoint)
        messages.success(self.request, "The endpoint was deleted.")
        return redirect("webhooks:endpoints")

    def _test(self, endpoint: Endpoint) -> HttpResponse:
        delivery = services.endpoint_test(endpoint=endpoint)
        return redirect("webhooks:delivery", delivery.id)

    def _redeliver(self, endpoint: Endpoint) -> HttpResponse:
        form = RedeliverForm(self.request.POST)
        hours = int(form.cleaned_data["hours"]) if form.is_valid() else 24
        since = timezone.now() - datetime.timedelta(hours=hours)
        count = services.endpoint_redeliver(endpoint=endpoint, since=since)
        messages.success(self.request, f"Deliveries sent again: {count}.")
        return redirect("webhooks:endpoint", endpoint.id)


class DeliveryView(WebhooksView):
    """All attempts of a delivery. The page refreshes while an attempt is due."""

    def get(self, request: HttpRequest, delivery_id: str) -> HttpResponse:
        delivery = self.delivery(delivery_id)
        soon = timezone.now() + datetime.timedelta(seconds=90)
        context = {
            "delivery": delivery,
            "endpoint": delivery.endpoint,
            "listed": delivery.endpoint.kind == Endpoint.Kind.SUBSCRIPTION,
            "event": delivery.event,
            "kind": CATALOG.get(delivery.event.type),
            "attempts": delivery.history.order_by("-number"),
            "live": delivery.next_attempt_at is not None and delivery.next_attempt_at < soon,
        }
        fragment = request.headers.get("HX-Request") == "true"
        name = "webhooks/attempts.html" if fragment else "webhooks/delivery.html"
        return render(request, name, context)

    def post(self, request: HttpRequest, delivery_id: str) -> HttpResponse:
        delivery = self.delivery(delivery_id)
        try:
            with transaction.atomic():
                services.delivery_redeliver(delivery=delivery)
                audit(self.request, "webhook_delivery.redelivered", delivery.id)
        except ApiError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "The delivery is being sent again.")
        return redirect("webhooks:delivery", delivery_id)
