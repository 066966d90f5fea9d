"""The Django admin of accounts, for operators. The rules are in the services."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from kallglot_site.accounts import services
from kallglot_site.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    User,
)
from kallglot_site.accounts.two_factor import two_factor_disable

admin.site.site_header = "Kallglot operations"
admin.site.site_title = "Kallglot"
admin.site.index_title = "All organizations"


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that only the application makes and changes."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(admin.TabularInline[Membership, Organization]):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin[Organization]):
    list_display = ["name", "id", "requests_per_minute", "concurrent_sessions", "suspended_at"]
    list_filter = [("suspended_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "id"]
    readonly_fields = ["id", "created_at", "suspended_at"]
    inlines = [MembershipInline]
    actions = ["suspend", "reinstate"]

    def has_delete_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        return False  # it would delete every call, but not the files

    @admin.action(description="Suspend: refuse their keys and calls", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        count = queryset.filter(suspended_at=None).update(suspended_at=timezone.now())
        self.message_user(request, f"{count} suspended.")

    @admin.action(description="Reinstate", permissions=["change"])
    def reinstate(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        count = queryset.exclude(suspended_at=None).update(suspended_at=None)
        self.message_user(request, f"{count} reinstated.")


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    list_display = ["email", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "first_name", "last_name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Person", {"fields": ["first_name", "last_name"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "password1", "password2"]}),
    ]
    filter_horizontal = ()
    actions = ["reset_two_factor"]

    @admin.action(description="Reset two-factor authentication", permissions=["change"])
    def reset_two_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = cast(User, request.user)
        people = [user for user in queryset if two_factor_disable(user=user, actor=actor)]
        self.message_user(request, f"{len(people)} reset.")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "organization", "environment", "last_used_at", "revoked_at"]
    list_filter = ["environment", ("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "prefix", "id", "organization__name"]
    list_select_related = ["organization"]
    exclude = ["secret_hash"]
    actions = ["revoke"]

    @admin.action(description="Revoke at once", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.api_key_revoke(api_key=key, actor=cast(User, request.user))
        self.message_user(request, f"{len(queryset)} revoked.")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "organization", "role", "created_at", "expires_at", "accepted_at"]
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter)]
    search_fields = ["email", "organization__name"]
    list_select_related = ["organization"]
    exclude = ["token_hash"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "actor_name", "action", "target", "organization"]
    list_filter = ["action", "environment"]
    search_fields = ["actor_email", "target", "organization__name"]
    list_select_related = ["organization", "actor_key"]
    ordering = ["-id"]
