"""Webhooks in the Django admin: read-only for operators; actions go through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from kallglot_site.api.errors import ApiError
from webhooks_app import services
from webhooks_app.models import Attempt, Delivery, Endpoint, Event


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows cannot be added, changed or deleted. Large tables are not counted."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "environment", "url", "status", "disabled_reason"]
    list_filter = ["status", "environment", "kind"]
    list_select_related = ["organization"]
    search_fields = ["=id", "url"]
    exclude = ["secret", "previous_secret"]
    actions = ["disable"]

    @admin.action(description="Disable: send nothing more")
    def disable(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            services.endpoint_disable(endpoint=endpoint, reason=Endpoint.DisabledReason.MANUAL)
        messages.success(request, "Disabled. What was pending is cancelled.")


class AttemptInline(admin.TabularInline[Attempt, Delivery]):
    model = Attempt
    fields = readonly_fields = ("number", "at", "status_code", "duration_ms", "error")
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["id", "type", "endpoint", "status", "attempts", "next_attempt_at"]
    list_filter = ["status"]
    list_select_related = ["event", "endpoint"]
    search_fields = ["=id", "=event__id", "=endpoint__id", "=session_id"]
    inlines = [AttemptInline]
    actions = ["redeliver"]

    @admin.display(description="Event type")
    def type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.action(description="Send again, now")
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        for delivery in queryset.select_related("event", "endpoint"):
            try:
                services.delivery_redeliver(delivery=delivery)
            except ApiError as error:
                messages.error(request, f"{delivery.id}: {error.message}")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "environment", "type", "session_id", "created_at"]
    list_filter = ["type", "environment"]
    list_select_related = ["organization"]
    search_fields = ["=id", "=session_id"]
