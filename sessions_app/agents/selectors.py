"""Every scoped read of agents, knowledge bases and documents."""

from django.db.models import QuerySet

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.errors import NotFound
from kallglot_site.api.lookup import get_or_not_found
from sessions_app.agents.errors import KnowledgeBaseUnknown
from sessions_app.agents.models import Agent, Document, KnowledgeBase


def agent_list(*, tenant: Tenant) -> QuerySet[Agent]:
    return Agent.objects.filter(**tenant.filters)


def agent_get(*, tenant: Tenant, agent_id: str) -> Agent:
    """Raises NotFound."""
    return get_or_not_found(agent_list(tenant=tenant), agent_id, prefix="agt", kind="agent")


def knowledge_base_list(*, tenant: Tenant) -> QuerySet[KnowledgeBase]:
    return KnowledgeBase.objects.filter(**tenant.filters)


def knowledge_base_get(*, tenant: Tenant, knowledge_base_id: str) -> KnowledgeBase:
    """Raises NotFound."""
    bases = knowledge_base_list(tenant=tenant)
    return get_or_not_found(bases, knowledge_base_id, prefix="kb", kind="knowledge base")


def knowledge_base_named(*, tenant: Tenant, knowledge_base_id: str) -> KnowledgeBase:
    """The base that a field of a request names. Raises KnowledgeBaseUnknown."""
    try:
        return knowledge_base_get(tenant=tenant, knowledge_base_id=knowledge_base_id)
    except NotFound:
        raise KnowledgeBaseUnknown from None


def document_list(*, base: KnowledgeBase, status: str | None = None) -> QuerySet[Document]:
    documents = Document.objects.filter(knowledge_base=base)
    return documents if status is None else documents.filter(status=status)


def document_get(*, base: KnowledgeBase, document_id: str) -> Document:
    """Raises NotFound."""
    return get_or_not_found(document_list(base=base), document_id, prefix="doc", kind="document")
