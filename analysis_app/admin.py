"""Analyses in the Django admin: read-only for operators, who may run failed ones again."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from analysis_app import services
from analysis_app.models import Analysis, AnalysisPolicy


@admin.register(Analysis)
class AnalysisAdmin(admin.ModelAdmin[Analysis]):
    list_display = ["id", "session_id", "organization", "status", "engine", "created_at"]
    list_filter = ["status", "environment", "is_automatic", "organization"]
    search_fields = ["id", "session__id"]
    ordering = ["-id"]
    list_select_related = ["organization"]
    show_full_result_count = False
    # Content of calls is for the organization, not for operators.
    exclude = ["results", "custom_prompts", "webhook_url"]
    actions = ["run_again"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Analysis | None = None) -> bool:
        return False

    @admin.action(description="Run failed analyses again", permissions=["view"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Analysis]) -> None:
        count = services.analyses_retry(queryset=queryset)
        self.message_user(request, f"{count} analyses are queued again.")


@admin.register(AnalysisPolicy)
class AnalysisPolicyAdmin(admin.ModelAdmin[AnalysisPolicy]):
    list_display = ["organization", "automatic"]
    list_select_related = ["organization"]
