"""The URLs of agents and knowledge bases under /v1."""

from django.urls import path

from sessions_app.agents.api.views import AgentViewSet, DocumentViewSet, KnowledgeBaseViewSet

_BASE = "knowledge_bases/<str:knowledge_base_id>"

urlpatterns = [
    path("agents", AgentViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "agents/<str:agent_id>",
        AgentViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
    ),
    path("knowledge_bases", KnowledgeBaseViewSet.as_view({"get": "list", "post": "create"})),
    path(
        _BASE,
        KnowledgeBaseViewSet.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
    ),
    path(f"{_BASE}/search", KnowledgeBaseViewSet.as_view({"post": "search"})),
    path(f"{_BASE}/documents", DocumentViewSet.as_view({"get": "list", "post": "create"})),
    path(
        f"{_BASE}/documents/<str:document_id>",
        DocumentViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
]
