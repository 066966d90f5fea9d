"""Every write of agents, knowledge bases and documents, except what ``knowledge.reading`` does."""

from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import F, Model

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.errors import NotFound
from sessions_app.agents.errors import TooMany
from sessions_app.agents.knowledge.reading import DOCUMENTS
from sessions_app.agents.models import Agent, Document, DocumentFile, KnowledgeBase
from sessions_app.agents.selectors import agent_list, knowledge_base_list, knowledge_base_named

MAX_AGENTS: Final = 1000
MAX_BASES: Final = 100
"""Both per organization and environment."""
MAX_DOCUMENTS: Final = 1000
"""Per knowledge base."""
MAX_TITLE: Final = 300

M = TypeVar("M", bound=Model)


def agent_create(*, tenant: Tenant, **fields: Any) -> Agent:
    """A new agent. Raises KnowledgeBaseUnknown, TooMany.

    URLs of tools must have passed ``tool_urls_check``, outside of any transaction.
    """
    if agent_list(tenant=tenant).count() >= MAX_AGENTS:
        raise TooMany(f"There are {MAX_AGENTS} agents already. Delete one that is not needed.")
    return Agent.objects.create(**tenant.filters, **_agent_columns(tenant, fields))


@transaction.atomic
def agent_update(*, tenant: Tenant, agent: Agent, **fields: Any) -> Agent:
    """Change what is given. Raises KnowledgeBaseUnknown."""
    agent = _locked(agent, "agent")
    return _save(agent, _agent_columns(tenant, fields))


def agent_delete(*, agent: Agent) -> None:
    agent.delete()


def _agent_columns(tenant: Tenant, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns for the fields of a request: the base's id is looked up in the tenant."""
    columns = dict(fields)
    if "knowledge_base_id" in columns:
        named = columns.pop("knowledge_base_id")
        columns["knowledge_base"] = (
            None if named is None else knowledge_base_named(tenant=tenant, knowledge_base_id=named)
        )
    return columns


def knowledge_base_create(*, tenant: Tenant, **fields: Any) -> KnowledgeBase:
    """A new, empty base. Raises TooMany."""
    if knowledge_base_list(tenant=tenant).count() >= MAX_BASES:
        raise TooMany(
            f"There are {MAX_BASES} knowledge bases already. Delete one that is not needed."
        )
    return KnowledgeBase.objects.create(**tenant.filters, **fields)


@transaction.atomic
def knowledge_base_update(*, base: KnowledgeBase, **fields: Any) -> KnowledgeBase:
    """Change what is given."""
    return _save(_locked(base, "knowledge base"), fields)


@transaction.atomic
def knowledge_base_delete(*, base: KnowledgeBase) -> None:
    """Delete the base with its documents. Agents that use it have none from then on."""
    _locked(base, "knowledge base").delete()


@transaction.atomic
def document_create(*, base: KnowledgeBase, title: str, format: str, content: bytes) -> Document:
    """A new document, which a worker reads soon. Raises TooMany, NotFound."""
    _locked(base, "knowledge base")
    if base.documents.count() >= MAX_DOCUMENTS:
        raise TooMany(
            f"This knowledge base has {MAX_DOCUMENTS} documents already. Delete one, or use "
            "another knowledge base."
        )
    document = Document.objects.create(
        knowledge_base=base, title=title[:MAX_TITLE], format=format, size=len(content)
    )
    DocumentFile.objects.create(document=document, content=content)
    DOCUMENTS.ring()
    return document


@transaction.atomic
def document_delete(*, document: Document) -> None:
    """Delete a document with what was read of it; searches do not find it from then on."""
    _locked(document.knowledge_base, "knowledge base")
    KnowledgeBase.objects.filter(pk=document.knowledge_base_id).update(version=F("version") + 1)
    document.delete()


def _locked(row: M, kind: str) -> M:
    """The row as it is now, locked until the commit. Raises NotFound: it was deleted meanwhile."""
    found = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
    if found is None:
        raise NotFound(kind)
    return found


def _save(row: M, columns: dict[str, Any]) -> M:
    for name, value in columns.items():
        setattr(row, name, value)
    if columns:
        row.save(update_fields=list(columns))
    return row
