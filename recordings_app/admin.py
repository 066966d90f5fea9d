"""Operators' view of recordings. Audio is not served here; changes go through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from recordings_app.models import Assembly, Recording, RecordingPolicy
from recordings_app.services import assembly_retry, recording_delete, recording_policy_set


class ReadOnly:
    """Rows cannot be edited, only acted on."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Recording)
class RecordingAdmin(ReadOnly, admin.ModelAdmin[Recording]):
    list_display = ["id", "organization", "environment", "channel", "status", "created_at"]
    list_filter = ["status", "environment", "channel"]
    search_fields = ["id__exact", "session__id__exact"]
    exclude = ["peaks"]
    actions = ["delete_audio"]
    show_full_result_count = False

    @admin.action(description="Delete the audio now")
    def delete_audio(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        recordings = queryset.exclude(status=Recording.Status.DELETED)
        for recording in recordings:
            recording_delete(recording=recording)
        messages.success(request, "The audio was deleted; the rows stay.")


@admin.register(Assembly)
class AssemblyAdmin(ReadOnly, admin.ModelAdmin[Assembly]):
    list_display = ["session_id", "status", "due_at", "attempts", "incomplete", "error"]
    list_filter = ["status", "incomplete"]
    search_fields = ["session__id__exact"]
    actions = ["try_again"]
    show_full_result_count = False

    @admin.action(description="Try again")
    def try_again(self, request: HttpRequest, queryset: QuerySet[Assembly]) -> None:
        again = sum(assembly_retry(session_id=row.session_id) for row in queryset)
        messages.success(request, f"{again} will be made again.")


@admin.register(RecordingPolicy)
class RecordingPolicyAdmin(admin.ModelAdmin[RecordingPolicy]):
    list_display = ["organization", "retention_days"]

    def save_model(
        self, request: HttpRequest, obj: RecordingPolicy, form: Any, change: bool
    ) -> None:
        recording_policy_set(organization=obj.organization, retention_days=obj.retention_days)
