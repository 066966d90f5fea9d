"""Bodies of requests for analyses."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analysis_app.engines.base import ANALYSIS_TYPES
from kallglot_site.api.operations import one_of
from kallglot_site.api.serializers import StrictCharField, StrictChoiceField, StrictSerializer
from sessions_app.input_fields import LanguageField


class CustomPromptsInput(StrictSerializer):
    summary = StrictCharField(max_length=2000, required=False)
    action_items = StrictCharField(max_length=2000, required=False)


@extend_schema_field(
    {
        "type": "array",
        "items": one_of(*ANALYSIS_TYPES),
        "minItems": 1,
        "uniqueItems": True,
    }
)
class AnalysesField(serializers.ListField):
    """Which analyses to make, each named once."""


class AnalysisInput(StrictSerializer):
    analyses = AnalysesField(
        child=StrictChoiceField(ANALYSIS_TYPES), min_length=1, max_length=len(ANALYSIS_TYPES)
    )
    language = LanguageField(default="en")
    webhook_url = StrictCharField(max_length=2048, required=False, allow_null=True)
    custom_prompts = CustomPromptsInput(required=False, allow_null=True)

    def validate_language(self, value: str | None) -> str:
        return value or "en"

    def validate_analyses(self, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise serializers.ValidationError("Name each analysis once.")
        return value
