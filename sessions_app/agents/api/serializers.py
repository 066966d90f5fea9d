"""Validation of REST requests about agents and knowledge bases."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kallglot_site.api.serializers import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictNumberField,
    StrictPatternField,
    StrictSerializer,
)
from sessions_app.agents import defaults
from sessions_app.agents.models import Document
from sessions_app.agents.services import MAX_TITLE
from sessions_app.agents.tools import parameters_fault
from sessions_app.input_fields import LanguageField, MetadataField
from webhooks_app.delivery.urls import MAX_LENGTH as MAX_URL

MAX_QUERY, MAX_FOUND = 1000, 20

_TOOL_NAME = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
_ID = "Must be the id of a knowledge base: `kb_…`."


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction: 3 or 3.0. Neither "3" nor true is accepted."""

    default_error_messages = {"invalid": "Must be a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


def _spoken(**more: Any) -> StrictCharField:
    """A text that is spoken to callers, or null."""
    return StrictCharField(
        required=False, allow_null=True, min_length=1, max_length=defaults.MAX_SPOKEN, **more
    )


@extend_schema_field(
    {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"const": "object"}},
        "description": "A JSON Schema (draft 2020-12) of the tool's arguments.",
    }
)
class ParametersField(serializers.Field[dict[str, Any], Any, dict[str, Any], Any]):
    """The JSON Schema of a tool's arguments."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if (fault := parameters_fault(data)) is not None:
            raise serializers.ValidationError(fault)
        return dict(data)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


class ToolInput(StrictSerializer):
    """What the model may call: at ``url``, or else at the session's connections."""

    name = StrictPatternField(
        _TOOL_NAME,
        message="Must be a name of at most 64 ASCII letters, digits, `_` and `-`, such as "
        "`order_status`.",
    )
    description = StrictCharField(required=False, allow_blank=True, max_length=1000)
    parameters = ParametersField(required=False)
    url = StrictCharField(required=False, allow_null=True, allow_blank=True, max_length=MAX_URL)
    timeout_s = StrictNumberField(required=False, min_value=1, max_value=30)
    filler = _spoken()

    def validate_name(self, name: str) -> str:
        if name in defaults.BUILT_IN_TOOLS:
            raise serializers.ValidationError(f"`{name}` is built in. Choose another name.")
        return name


class TransferInput(StrictSerializer):
    """Whether callers may be handed over to a person, and what is said before."""

    enabled = StrictBooleanField(required=False)
    message = _spoken()


class SilenceInput(StrictSerializer):
    """What happens while the caller says nothing."""

    after_s = StrictNumberField(required=False, min_value=3, max_value=120)
    say = _spoken()
    end_after = StrictIntegerField(required=False, min_value=1, max_value=10)


class AgentFields(StrictSerializer):
    """The fields of an agent, each of which may be omitted."""

    system_prompt = StrictCharField(
        required=False, allow_blank=True, max_length=defaults.MAX_PROMPT
    )
    greeting = _spoken()
    language = LanguageField()
    voice = StrictCharField(
        required=False, allow_null=True, min_length=1, max_length=defaults.MAX_VOICE
    )
    temperature = StrictNumberField(required=False, min_value=0, max_value=2)
    max_response_tokens = StrictIntegerField(required=False, min_value=1, max_value=4096)
    knowledge_base_id = StrictPatternField(
        r"^kb_[0-9A-Za-z]{1,36}$", message=_ID, required=False, allow_null=True
    )
    tools = serializers.ListField(
        child=ToolInput(), required=False, max_length=defaults.MAX_TOOLS, allow_empty=True
    )
    transfer = TransferInput(required=False)
    silence = SilenceInput(required=False)
    max_duration_s = StrictIntegerField(required=False, min_value=10, max_value=14_400)
    metadata = MetadataField(required=False)

    def validate_tools(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = [tool["name"] for tool in tools]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise serializers.ValidationError(
                    {f"{place}.name": f"Another tool is named `{name}` too."}
                )
        return tools


class AgentInput(AgentFields):
    """The body of POST /v1/agents."""

    name = StrictCharField(max_length=defaults.MAX_NAME)


class AgentChange(AgentFields):
    """The body of PATCH /v1/agents/:id. Omitted fields stay unchanged; objects are replaced."""

    name = StrictCharField(required=False, max_length=defaults.MAX_NAME)


class KnowledgeBaseInput(StrictSerializer):
    """The body of POST /v1/knowledge_bases."""

    name = StrictCharField(max_length=defaults.MAX_NAME)
    description = StrictCharField(required=False, allow_blank=True, max_length=1000)
    metadata = MetadataField(required=False)


class KnowledgeBaseChange(KnowledgeBaseInput):
    """The body of PATCH /v1/knowledge_bases/:id. Omitted fields stay unchanged."""

    name = StrictCharField(required=False, max_length=defaults.MAX_NAME)


class DocumentInput(StrictSerializer):
    """The body of POST …/documents, when it is JSON. Headings may be marked as in Markdown."""

    title = StrictCharField(max_length=MAX_TITLE)
    text = StrictCharField(max_length=200_000)


class DocumentUpload(StrictSerializer):
    """The fields beside ``file`` when the body is a form."""

    title = StrictCharField(required=False, max_length=MAX_TITLE)


class DocumentListQuery(StrictSerializer):
    status = StrictChoiceField(Document.Status.values, required=False)


class SearchInput(StrictSerializer):
    """The body of POST /v1/knowledge_bases/:id/search."""

    query = StrictCharField(max_length=MAX_QUERY)
    limit = StrictIntegerField(default=5, min_value=1, max_value=MAX_FOUND)
