"""Agents, knowledge bases and documents as the API returns them."""

from typing import Any

from sessions_app.agents.defaults import silence_settings, tool_settings, transfer_settings
from sessions_app.agents.models import Agent, Document, KnowledgeBase
from webhooks_app.payloads import timestamp


def agent_payload(agent: Agent) -> dict[str, Any]:
    return {
        "id": agent.id,
        "object": "agent",
        "name": agent.name,
        "system_prompt": agent.system_prompt,
        "greeting": agent.greeting,
        "language": agent.language,
        "voice": agent.voice,
        "temperature": agent.temperature,
        "max_response_tokens": agent.max_response_tokens,
        "knowledge_base_id": agent.knowledge_base_id,
        "tools": [tool_settings(tool) for tool in agent.tools],
        "transfer": transfer_settings(agent.transfer),
        "silence": silence_settings(agent.silence),
        "max_duration_s": agent.max_duration_s,
        "metadata": agent.metadata,
        "created_at": timestamp(agent.created_at),
    }


def knowledge_base_payload(base: KnowledgeBase) -> dict[str, Any]:
    return {
        "id": base.id,
        "object": "knowledge_base",
        "name": base.name,
        "description": base.description,
        "metadata": base.metadata,
        "created_at": timestamp(base.created_at),
    }


def document_payload(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "object": "document",
        "knowledge_base_id": document.knowledge_base_id,
        "title": document.title,
        "format": document.format,
        "size": document.size,
        "status": document.status,
        "error": document.error,
        "passages": document.passage_count,
        "created_at": timestamp(document.created_at),
    }
