"""Agents and knowledge bases for operators: names and states, without what they say."""

from django.contrib import admin

from kallglot_site.accounts.admin import ReadOnlyAdmin
from sessions_app.agents.models import Agent, Document, KnowledgeBase


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "environment", "name", "created_at"]
    list_filter = ["environment"]
    list_select_related = ["organization"]
    search_fields = ["=id", "name", "organization__name"]
    ordering = ["-id"]
    # The organization's own words. Tools' URLs may hold its secrets.
    exclude = ["system_prompt", "greeting", "tools", "transfer", "silence", "metadata"]


@admin.register(KnowledgeBase)
class KnowledgeBaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "environment", "name", "version", "created_at"]
    list_filter = ["environment"]
    list_select_related = ["organization"]
    search_fields = ["=id", "name", "organization__name"]
    ordering = ["-id"]
    exclude = ["metadata"]


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ["id", "knowledge_base_id", "format", "size", "status", "error", "attempts"]
    list_filter = ["status", "format"]
    search_fields = ["=id", "=knowledge_base__id"]
    ordering = ["-id"]
