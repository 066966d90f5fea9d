"""REST endpoints of agents and knowledge bases. The work is in the services and selectors."""

from functools import cached_property
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.models import Scope
from kallglot_site.api.idempotency import idempotent
from kallglot_site.api.operations import operation
from kallglot_site.api.viewsets import V1ViewSet
from sessions_app.agents import selectors, services
from sessions_app.agents.api import schema
from sessions_app.agents.api.serializers import (
    AgentChange,
    AgentInput,
    DocumentInput,
    DocumentListQuery,
    KnowledgeBaseChange,
    KnowledgeBaseInput,
    SearchInput,
)
from sessions_app.agents.api.uploads import Upload, is_form, upload_read
from sessions_app.agents.knowledge import Found, search
from sessions_app.agents.models import Agent, Document, KnowledgeBase
from sessions_app.agents.payloads import (
    agent_payload,
    document_payload,
    knowledge_base_payload,
)
from sessions_app.agents.tools import tool_urls_check


class AgentViewSet(V1ViewSet):
    """Saved agents."""

    throttle_group = "agents"
    scopes = {
        "list": Scope.AGENTS_READ,
        "create": Scope.AGENTS_WRITE,
        "retrieve": Scope.AGENTS_READ,
        "update": Scope.AGENTS_WRITE,
        "destroy": Scope.AGENTS_WRITE,
    }
    paginated = {"list"}

    @operation("List agents", "Agent", lists=True)
    def list(self, request: Request) -> Response:
        agents = selectors.agent_list(tenant=self.tenant)
        return self.page(agents, prefix="agt", payload=agent_payload)

    def _checked(self, request: Request) -> dict[str, Any]:
        """The body, with its URLs checked: before the transaction, because names are resolved."""
        body = self.body(AgentInput)
        tool_urls_check(body.get("tools", ()))
        return body

    @operation(
        "Create an agent",
        "Agent",
        status=201,
        takes=AgentInput,
        creates="agent_id",
        request_example=schema.AGENT_EXAMPLE,
        errors=("invalid_url", "invalid_language_code", "resource_not_found"),
    )
    @idempotent(prepare=_checked)
    def create(self, request: Request, *, prepared: dict[str, Any]) -> Response:
        with transaction.atomic():
            agent = services.agent_create(tenant=self.tenant, **prepared)
            self.audit("agent.created", agent.id, agent.name)
        return Response(agent_payload(agent), status=201)

    @operation("Retrieve an agent", "Agent")
    def retrieve(self, request: Request, agent_id: str) -> Response:
        return Response(agent_payload(self._agent(agent_id)))

    @operation(
        "Change an agent",
        "Agent",
        description="Calls that have begun go on with the agent as it was.",
        takes=AgentChange,
        errors=("invalid_url", "invalid_language_code"),
    )
    def update(self, request: Request, agent_id: str) -> Response:
        body = self.body(AgentChange)
        agent = self._agent(agent_id)
        tool_urls_check(body.get("tools", ()))
        with transaction.atomic():
            agent = services.agent_update(tenant=self.tenant, agent=agent, **body)
            self.audit("agent.changed", agent.id, ", ".join(sorted(body)))
        return Response(agent_payload(agent))

    @operation("Delete an agent", None, status=204)
    def destroy(self, request: Request, agent_id: str) -> Response:
        self.body()
        agent = self._agent(agent_id)
        with transaction.atomic():
            self.audit("agent.deleted", agent.id, agent.name)
            services.agent_delete(agent=agent)
        return Response(status=204)

    def _agent(self, agent_id: str) -> Agent:
        return selectors.agent_get(tenant=self.tenant, agent_id=agent_id)


class KnowledgeBaseViewSet(V1ViewSet):
    """What agents may look up."""

    throttle_group = "agents"
    scopes = {
        "list": Scope.AGENTS_READ,
        "create": Scope.AGENTS_WRITE,
        "retrieve": Scope.AGENTS_READ,
        "update": Scope.AGENTS_WRITE,
        "destroy": Scope.AGENTS_WRITE,
        "search": Scope.AGENTS_READ,
    }
    paginated = {"list"}

    @operation("List knowledge bases", "KnowledgeBase", lists=True)
    def list(self, request: Request) -> Response:
        bases = selectors.knowledge_base_list(tenant=self.tenant)
        return self.page(bases, prefix="kb", payload=knowledge_base_payload)

    @operation(
        "Create a knowledge base",
        "KnowledgeBase",
        status=201,
        takes=KnowledgeBaseInput,
        creates="knowledge_base_id",
        request_example={"name": "Help pages"},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        with transaction.atomic():
            base = services.knowledge_base_create(
                tenant=self.tenant, **self.body(KnowledgeBaseInput)
            )
            self.audit("knowledge_base.created", base.id, base.name)
        return Response(knowledge_base_payload(base), status=201)

    @operation("Retrieve a knowledge base", "KnowledgeBase")
    def retrieve(self, request: Request, knowledge_base_id: str) -> Response:
        return Response(knowledge_base_payload(self._base(knowledge_base_id)))

    @operation("Change a knowledge base", "KnowledgeBase", takes=KnowledgeBaseChange)
    def update(self, request: Request, knowledge_base_id: str) -> Response:
        body = self.body(KnowledgeBaseChange)
        base = self._base(knowledge_base_id)
        with transaction.atomic():
            base = services.knowledge_base_update(base=base, **body)
            self.audit("knowledge_base.changed", base.id, base.name)
        return Response(knowledge_base_payload(base))

    @operation(
        "Delete a knowledge base",
        None,
        description="Its documents are deleted with it. Agents that use it have none afterwards.",
        status=204,
    )
    def destroy(self, request: Request, knowledge_base_id: str) -> Response:
        self.body()
        base = self._base(knowledge_base_id)
        with transaction.atomic():
            self.audit("knowledge_base.deleted", base.id, base.name)
            services.knowledge_base_delete(base=base)
        return Response(status=204)

    @operation(
        "Search a knowledge base",
        "Passage",
        description="Passages that answer the query, by its words and by its meaning, best first.",
        takes=SearchInput,
        lists=True,
        request_example={"query": "How long does delivery take?", "limit": 3},
    )
    def search(self, request: Request, knowledge_base_id: str) -> Response:
        body = self.body(SearchInput)
        found = search(self._base(knowledge_base_id), body["query"], body["limit"])
        data = [_passage_payload(each) for each in found]
        return Response({"object": "list", "data": data, "has_more": False, "url": request.path})

    def _base(self, knowledge_base_id: str) -> KnowledgeBase:
        return selectors.knowledge_base_get(tenant=self.tenant, knowledge_base_id=knowledge_base_id)


def _passage_payload(found: Found) -> dict[str, Any]:
    return {
        "object": "passage",
        "document_id": found.document_id,
        "title": found.title,
        "heading": found.heading or None,
        "text": found.text,
        "score": round(found.score, 4),
    }


class DocumentViewSet(V1ViewSet):
    """The texts of a knowledge base."""

    throttle_group = "agents"
    scopes = {
        "list": Scope.AGENTS_READ,
        "create": Scope.AGENTS_WRITE,
        "retrieve": Scope.AGENTS_READ,
        "destroy": Scope.AGENTS_WRITE,
    }
    paginated = {"list"}
    queries = {"list": DocumentListQuery}

    @cached_property
    def json(self) -> Any:
        """The body's JSON value. For a form: what stands for its file, to compare requests."""
        return self._upload.fingerprint() if is_form(self._raw) else super().json

    @cached_property
    def _upload(self) -> Upload:
        """The document in the body, JSON or a form."""
        if is_form(self._raw):
            return upload_read(self._raw)
        body = self.body(DocumentInput)
        return Upload(body["title"], "md", body["text"].encode())

    @property
    def _raw(self) -> Any:
        return self.request._request

    @operation("List documents", "Document", lists=True)
    def list(self, request: Request, knowledge_base_id: str) -> Response:
        documents = selectors.document_list(base=self._base(knowledge_base_id), **self.query)
        return self.page(documents, prefix="doc", payload=document_payload)

    @operation(
        "Add a document",
        "Document",
        description="Send a text as JSON, or a file (`txt`, `md`, `html`, `pdf`, `docx`; at most "
        "10 MB) as the field `file` of a form. It is read in the background: `status` becomes "
        "`ready`, or `failed` with the reason in `error`.",
        status=202,
        takes=DocumentInput,
        form=schema.UPLOAD_FORM,
        creates="document_id",
        request_example=schema.DOCUMENT_EXAMPLE,
    )
    @idempotent
    def create(self, request: Request, knowledge_base_id: str) -> Response:
        upload = self._upload
        with transaction.atomic():
            document = services.document_create(
                base=self._base(knowledge_base_id),
                title=upload.title,
                format=upload.format,
                content=upload.content,
            )
            self.audit("document.created", document.id, document.title)
        return Response(document_payload(document), status=202)

    @operation("Retrieve a document", "Document")
    def retrieve(self, request: Request, knowledge_base_id: str, document_id: str) -> Response:
        return Response(document_payload(self._document(knowledge_base_id, document_id)))

    @operation("Delete a document", None, status=204)
    def destroy(self, request: Request, knowledge_base_id: str, document_id: str) -> Response:
        self.body()
        document = self._document(knowledge_base_id, document_id)
        with transaction.atomic():
            self.audit("document.deleted", document.id, document.title)
            services.document_delete(document=document)
        return Response(status=204)

    def _base(self, knowledge_base_id: str) -> KnowledgeBase:
        return selectors.knowledge_base_get(tenant=self.tenant, knowledge_base_id=knowledge_base_id)

    def _document(self, knowledge_base_id: str, document_id: str) -> Document:
        base = self._base(knowledge_base_id)
        return selectors.document_get(base=base, document_id=document_id)
