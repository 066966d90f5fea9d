"""Sessions for operators: states and tracks, without transcripts and callers' data."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from kallglot_site.accounts.admin import ReadOnlyAdmin
from kallglot_site.api.errors import ApiError
from sessions_app import services
from sessions_app.models import Segment, Session, Track


class TrackInline(admin.TabularInline[Track, Session]):
    model = Track
    extra = 0
    can_delete = False
    fields = ("speaker", "owner", "generation", "lease_expires_at", "position", "sealed_at")
    readonly_fields = (
        "speaker",
        "owner",
        "generation",
        "lease_expires_at",
        "position",
        "sealed_at",
    )


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "environment", "status", "mode", "duration", "created_at"]
    list_filter = ["status", "mode", "environment", "end_reason", "transcript_status"]
    search_fields = ["=id", "=provider_call_sid", "organization__name"]
    list_select_related = ["organization"]
    ordering = ["-id"]
    list_per_page = 50
    # Phone numbers, names and vocabulary belong to the organization. Operators do not see them.
    exclude = ["provider_phone_number", "metadata", "vocabulary"]
    inlines = [TrackInline]
    actions = ["end", "erase"]

    @admin.action(description="End these calls", permissions=["view"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset:
            services.session_end(session=session)
        self.message_user(request, f"{len(queryset)} calls ended.")

    @admin.action(
        description="Erase transcripts, audio and analyses for good", permissions=["view"]
    )
    def erase(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset:
            try:
                services.session_erase(session=session)
            except ApiError as error:
                message = f"{session.id}: {error.message}"
                self.message_user(request, message, messages.ERROR)


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ["id", "session_id", "sequence", "speaker", "language", "confidence"]
    list_filter = ["speaker"]
    search_fields = ["=id", "=session__id"]
    ordering = ["-id"]
    exclude = ["text", "translation"]


@admin.register(Track)
class TrackAdmin(ReadOnlyAdmin):
    list_display = ["session_id", "speaker", "generation", "lease_expires_at", "position"]
    search_fields = ["=session__id"]
    ordering = ["-id"]
